// Control: takes fingerprints into one of two frame buffers and walks the windows over the other.
//
// Writing
//   A frame is ROWS * COLUMNS beats, row by row, tlast on the last. window_memory keeps a number under
//   the phases and the address that stand beside write_en_o. A full buffer waits to be walked;
//   s_axis_tready is low while both are full.
//   tlast in the wrong place: the frame is discarded, frame_error_o is high for one cycle, and the next
//   frame is right. Where tlast comes too late, all beats up to it are discarded.
// Reading, channel by channel, a beat of read_* a cycle
//   for channel in 0..CHANNELS-1:
//     for row in 0..MAP_ROWS-1, for column in 0..MAP_COLUMNS-1:        a window, a position of the map
//       for i in 0..STEP_ROWS-1, for j in 0..STEP_COLUMNS-1:           a step
//         address = (row * ROW_STRIDE + i) * PLANE_COLUMNS + column * COLUMN_STRIDE + j
//   The address only grows by one of four constants. Frames follow one another without a bubble.
//   Flush: what follows needs FLUSH further positions to finish a plane. If no frame is there to bring
//   them, up to FLUSH empty ones (read_flush_o) are issued after the last position of a frame. An
//   empty one that is offered but not yet taken gives way to a frame that is there by then.
// Cycles
//   The first read of a frame is offered in the cycle after its last beat is taken, or after the last
//   read of the frame before is taken. A frame takes
//   CHANNELS * MAP_ROWS * MAP_COLUMNS * STEP_ROWS * STEP_COLUMNS reads, 2,688 by default.
//
// Example: MAP_COLUMNS = 4, PLANE_COLUMNS = 5, strides and steps of 1 (the defaults):
//   addresses 0 1 2 3, 5 6 7 8, 10 11 12 13, ..., 65 66 67 68, and from 0 again for the next channel

`default_nettype none

module frame_control #(
    parameter ROWS              = 30,
    parameter COLUMNS           = 10,
    parameter ROW_PHASES        = 2,
    parameter COLUMN_PHASES     = 2,
    parameter PLANE_COLUMNS     = 5,               // COLUMNS / COLUMN_PHASES, rounded up
    parameter CHANNELS          = 48,
    parameter MAP_ROWS          = 14,
    parameter MAP_COLUMNS       = 4,
    parameter ROW_STRIDE        = 1,               // in rows of a plane
    parameter COLUMN_STRIDE     = 1,               // in columns of a plane
    parameter STEP_ROWS         = 1,
    parameter STEP_COLUMNS      = 1,
    parameter FLUSH             = 5,
    parameter ROW_BITS          = 5,               // holds ROWS - 1 and MAP_ROWS - 1
    parameter COLUMN_BITS       = 4,               // holds COLUMNS - 1 and MAP_COLUMNS - 1
    parameter CHANNEL_BITS      = 6,               // holds CHANNELS - 1
    parameter STEP_BITS         = 1,               // holds STEP_ROWS - 1 and STEP_COLUMNS - 1
    parameter FLUSH_BITS        = 3,               // holds FLUSH
    parameter ROW_PHASE_BITS    = 1,               // holds ROW_PHASES - 1
    parameter COLUMN_PHASE_BITS = 1,               // holds COLUMN_PHASES - 1
    parameter ADDRESS_BITS      = 7                // holds every address of a plane
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,

    input  wire                         s_axis_tvalid,
    output wire                         s_axis_tready,
    input  wire                         s_axis_tlast,

    output wire                         write_en_o,
    output wire                         write_buffer_o,
    output wire [ADDRESS_BITS-1:0]      write_address_o,
    output wire [ROW_PHASE_BITS-1:0]    write_row_phase_o,
    output wire [COLUMN_PHASE_BITS-1:0] write_column_phase_o,

    output wire                         read_valid_o,
    input  wire                         read_ready_i,
    output wire                         read_buffer_o,
    output wire [ADDRESS_BITS-1:0]      read_address_o,
    output wire                         read_flush_o,

    output wire                         frame_error_o
);

  localparam PLANE_WORDS = ((ROWS + ROW_PHASES - 1) / ROW_PHASES) * PLANE_COLUMNS;

  generate
    if (ROWS < 1 || COLUMNS < 1) begin : g_illegal_frame
      frame_control_requires_ROWS_and_COLUMNS_of_at_least_1 illegal ();
    end
    if (ROW_PHASES < 1 || COLUMN_PHASES < 1) begin : g_illegal_phases
      frame_control_requires_ROW_PHASES_and_COLUMN_PHASES_of_at_least_1 illegal ();
    end
    if (PLANE_COLUMNS != (COLUMNS + COLUMN_PHASES - 1) / COLUMN_PHASES)
    begin : g_illegal_plane_columns
      frame_control_requires_PLANE_COLUMNS_of_COLUMNS_over_COLUMN_PHASES illegal ();
    end
    if (CHANNELS < 1 || MAP_ROWS < 1 || MAP_COLUMNS < 1) begin : g_illegal_map
      frame_control_requires_CHANNELS_MAP_ROWS_and_MAP_COLUMNS_of_at_least_1 illegal ();
    end
    if (STEP_ROWS < 1 || STEP_COLUMNS < 1) begin : g_illegal_steps
      frame_control_requires_STEP_ROWS_and_STEP_COLUMNS_of_at_least_1 illegal ();
    end
    if (ROW_STRIDE < 1 || COLUMN_STRIDE < 1) begin : g_illegal_stride
      frame_control_requires_ROW_STRIDE_and_COLUMN_STRIDE_of_at_least_1 illegal ();
    end
    if ((MAP_ROWS - 1) * ROW_STRIDE + STEP_ROWS > PLANE_WORDS / PLANE_COLUMNS
        || (MAP_COLUMNS - 1) * COLUMN_STRIDE + STEP_COLUMNS > PLANE_COLUMNS)
    begin : g_illegal_windows
      frame_control_requires_windows_within_the_plane illegal ();
    end
    if (ROW_BITS < 1 || (ROWS - 1) >> ROW_BITS != 0 || (MAP_ROWS - 1) >> ROW_BITS != 0)
    begin : g_illegal_row_bits
      frame_control_requires_ROW_BITS_to_hold_ROWS_minus_1 illegal ();
    end
    if (COLUMN_BITS < 1 || (COLUMNS - 1) >> COLUMN_BITS != 0
        || (MAP_COLUMNS - 1) >> COLUMN_BITS != 0)
    begin : g_illegal_column_bits
      frame_control_requires_COLUMN_BITS_to_hold_COLUMNS_minus_1 illegal ();
    end
    if (CHANNEL_BITS < 1 || (CHANNELS - 1) >> CHANNEL_BITS != 0) begin : g_illegal_channel_bits
      frame_control_requires_CHANNEL_BITS_to_hold_CHANNELS_minus_1 illegal ();
    end
    if (STEP_BITS < 1 || (STEP_ROWS - 1) >> STEP_BITS != 0 || (STEP_COLUMNS - 1) >> STEP_BITS != 0)
    begin : g_illegal_step_bits
      frame_control_requires_STEP_BITS_to_hold_the_last_step illegal ();
    end
    if (FLUSH_BITS < 1 || FLUSH >> FLUSH_BITS != 0) begin : g_illegal_flush_bits
      frame_control_requires_FLUSH_BITS_to_hold_FLUSH illegal ();
    end
    if (ROW_PHASE_BITS < 1 || (ROW_PHASES - 1) >> ROW_PHASE_BITS != 0)
    begin : g_illegal_row_phase_bits
      frame_control_requires_ROW_PHASE_BITS_to_hold_ROW_PHASES_minus_1 illegal ();
    end
    if (COLUMN_PHASE_BITS < 1 || (COLUMN_PHASES - 1) >> COLUMN_PHASE_BITS != 0)
    begin : g_illegal_column_phase_bits
      frame_control_requires_COLUMN_PHASE_BITS_to_hold_COLUMN_PHASES_minus_1 illegal ();
    end
    if (ADDRESS_BITS < 1 || (PLANE_WORDS - 1) >> ADDRESS_BITS != 0) begin : g_illegal_address_bits
      frame_control_requires_ADDRESS_BITS_to_hold_every_address illegal ();
    end
  endgenerate

  // ---- Frame buffers: who holds which ---------------------------------------------------------------

  reg [1:0] full_q;          // the buffer holds a whole frame that is not yet walked to its end
  reg       write_buffer_q;
  reg       read_buffer_q;

  wire frame_written;
  wire frame_read;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      full_q         <= 2'b00;
      write_buffer_q <= 1'b0;
      read_buffer_q  <= 1'b0;
    end else begin
      if (frame_written) full_q[write_buffer_q] <= 1'b1;
      if (frame_read) full_q[read_buffer_q] <= 1'b0;
      write_buffer_q <= write_buffer_q ^ frame_written;
      read_buffer_q  <= read_buffer_q ^ frame_read;
    end
  end

  // ---- Writing ----------------------------------------------------------------------------------------

  localparam [ROW_BITS-1:0]          LAST_ROW          = ROWS[ROW_BITS-1:0] - 1'b1;
  localparam [COLUMN_BITS-1:0]       LAST_COLUMN       = COLUMNS[COLUMN_BITS-1:0] - 1'b1;
  localparam [ROW_PHASE_BITS-1:0]    LAST_ROW_PHASE    = ROW_PHASES[ROW_PHASE_BITS-1:0] - 1'b1;
  localparam [COLUMN_PHASE_BITS-1:0] LAST_COLUMN_PHASE =
      COLUMN_PHASES[COLUMN_PHASE_BITS-1:0] - 1'b1;
  localparam [ADDRESS_BITS-1:0]      PLANE_ROW         = PLANE_COLUMNS[ADDRESS_BITS-1:0];

  reg [ROW_BITS-1:0]          row_q;            // of the number that comes next
  reg [COLUMN_BITS-1:0]       column_q;
  reg [ROW_PHASE_BITS-1:0]    row_phase_q;
  reg [COLUMN_PHASE_BITS-1:0] column_phase_q;
  reg [ADDRESS_BITS-1:0]      row_address_q;    // of the first number of its row
  reg [ADDRESS_BITS-1:0]      write_address_q;
  reg                         skipping_q;       // discarding the rest of a frame that is too long
  reg                         frame_error_q;

  wire take         = s_axis_tvalid & s_axis_tready;
  wire row_end      = column_q == LAST_COLUMN;
  wire frame_end    = row_end & (row_q == LAST_ROW);
  wire wrong_length = s_axis_tlast != frame_end;
  wire restart      = ~rst_ni | (take & s_axis_tlast);   // after a frame, right or wrong
  wire last_phase   = column_phase_q == LAST_COLUMN_PHASE;
  wire [ADDRESS_BITS-1:0] next_row_address =
      row_phase_q == LAST_ROW_PHASE ? row_address_q + PLANE_ROW : row_address_q;

  assign frame_written        = take & frame_end & s_axis_tlast & ~skipping_q;
  assign s_axis_tready        = ~full_q[write_buffer_q];
  assign write_en_o           = take & ~skipping_q;
  assign write_buffer_o       = write_buffer_q;
  assign write_address_o      = write_address_q;
  assign write_row_phase_o    = row_phase_q;
  assign write_column_phase_o = column_phase_q;
  assign frame_error_o        = frame_error_q;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      skipping_q    <= 1'b0;
      frame_error_q <= 1'b0;
    end else begin
      frame_error_q <= take & ~skipping_q & wrong_length;
      if (take) skipping_q <= ~s_axis_tlast & (skipping_q | frame_end);
    end
  end

  always @(posedge clk_i) begin
    if (restart) begin
      row_q           <= {ROW_BITS{1'b0}};
      column_q        <= {COLUMN_BITS{1'b0}};
      row_phase_q     <= {ROW_PHASE_BITS{1'b0}};
      column_phase_q  <= {COLUMN_PHASE_BITS{1'b0}};
      row_address_q   <= {ADDRESS_BITS{1'b0}};
      write_address_q <= {ADDRESS_BITS{1'b0}};
    end else if (take & row_end) begin
      row_q           <= row_q + 1'b1;
      column_q        <= {COLUMN_BITS{1'b0}};
      row_phase_q     <= row_phase_q == LAST_ROW_PHASE ? {ROW_PHASE_BITS{1'b0}} : row_phase_q + 1'b1;
      column_phase_q  <= {COLUMN_PHASE_BITS{1'b0}};
      row_address_q   <= next_row_address;
      write_address_q <= next_row_address;
    end else if (take) begin
      column_q        <= column_q + 1'b1;
      column_phase_q  <= last_phase ? {COLUMN_PHASE_BITS{1'b0}} : column_phase_q + 1'b1;
      write_address_q <= last_phase ? write_address_q + 1'b1 : write_address_q;
    end
  end

  // ---- Reading ----------------------------------------------------------------------------------------

  localparam integer STEP_ROW     = PLANE_COLUMNS - (STEP_COLUMNS - 1);
  localparam integer WINDOW_SPAN  = (STEP_ROWS - 1) * PLANE_COLUMNS + STEP_COLUMNS - 1;
  localparam integer MAP_COLUMN   = COLUMN_STRIDE - WINDOW_SPAN;
  localparam integer MAP_ROW      =
      ROW_STRIDE * PLANE_COLUMNS - (MAP_COLUMNS - 1) * COLUMN_STRIDE - WINDOW_SPAN;

  localparam [ADDRESS_BITS-1:0] NEXT_STEP_ROW   = STEP_ROW[ADDRESS_BITS-1:0];
  localparam [ADDRESS_BITS-1:0] NEXT_MAP_COLUMN = MAP_COLUMN[ADDRESS_BITS-1:0];
  localparam [ADDRESS_BITS-1:0] NEXT_MAP_ROW    = MAP_ROW[ADDRESS_BITS-1:0];

  localparam [STEP_BITS-1:0]    LAST_STEP_ROW    = STEP_ROWS[STEP_BITS-1:0] - 1'b1;
  localparam [STEP_BITS-1:0]    LAST_STEP_COLUMN = STEP_COLUMNS[STEP_BITS-1:0] - 1'b1;
  localparam [ROW_BITS-1:0]     LAST_MAP_ROW     = MAP_ROWS[ROW_BITS-1:0] - 1'b1;
  localparam [COLUMN_BITS-1:0]  LAST_MAP_COLUMN  = MAP_COLUMNS[COLUMN_BITS-1:0] - 1'b1;
  localparam [CHANNEL_BITS-1:0] LAST_CHANNEL     = CHANNELS[CHANNEL_BITS-1:0] - 1'b1;

  reg [CHANNEL_BITS-1:0] channel_q;
  reg [ROW_BITS-1:0]     map_row_q;
  reg [COLUMN_BITS-1:0]  map_column_q;
  reg [STEP_BITS-1:0]    step_row_q;
  reg [STEP_BITS-1:0]    step_column_q;
  reg [ADDRESS_BITS-1:0] read_address_q;
  reg [FLUSH_BITS-1:0]   flush_q;         // empty positions that may still be needed

  wire first_step  = (step_row_q == {STEP_BITS{1'b0}}) & (step_column_q == {STEP_BITS{1'b0}});
  wire step_end    = step_column_q == LAST_STEP_COLUMN;
  wire window_end  = step_end & (step_row_q == LAST_STEP_ROW);
  wire map_row_end = map_column_q == LAST_MAP_COLUMN;
  wire map_end     = map_row_end & (map_row_q == LAST_MAP_ROW);

  // An empty position that has begun is finished, even if a frame is there by now.
  wire waiting = full_q[read_buffer_q];
  wire flush   = (flush_q != {FLUSH_BITS{1'b0}}) & ~(waiting & first_step);
  wire issue   = read_valid_o & read_ready_i;
  wire walk    = issue & ~flush;

  assign frame_read     = walk & window_end & map_end & (channel_q == LAST_CHANNEL);
  assign read_valid_o   = waiting | flush;
  assign read_buffer_o  = read_buffer_q;
  assign read_address_o = read_address_q;
  assign read_flush_o   = flush;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      channel_q      <= {CHANNEL_BITS{1'b0}};
      map_row_q      <= {ROW_BITS{1'b0}};
      map_column_q   <= {COLUMN_BITS{1'b0}};
      step_row_q     <= {STEP_BITS{1'b0}};
      step_column_q  <= {STEP_BITS{1'b0}};
      read_address_q <= {ADDRESS_BITS{1'b0}};
      flush_q        <= {FLUSH_BITS{1'b0}};
    end else begin
      if (issue) begin
        step_column_q <= step_end ? {STEP_BITS{1'b0}} : step_column_q + 1'b1;
        if (step_end) step_row_q <= window_end ? {STEP_BITS{1'b0}} : step_row_q + 1'b1;
      end
      if (frame_read) flush_q <= FLUSH[FLUSH_BITS-1:0];
      else if (walk) flush_q <= {FLUSH_BITS{1'b0}};
      else if (issue & window_end) flush_q <= flush_q - 1'b1;
      if (walk & window_end) begin
        map_column_q <= map_row_end ? {COLUMN_BITS{1'b0}} : map_column_q + 1'b1;
        if (map_row_end) map_row_q <= map_end ? {ROW_BITS{1'b0}} : map_row_q + 1'b1;
        if (map_end) channel_q <= frame_read ? {CHANNEL_BITS{1'b0}} : channel_q + 1'b1;
      end
      if (walk) begin
        if (!step_end) read_address_q <= read_address_q + 1'b1;
        else if (!window_end) read_address_q <= read_address_q + NEXT_STEP_ROW;
        else if (!map_row_end) read_address_q <= read_address_q + NEXT_MAP_COLUMN;
        else if (!map_end) read_address_q <= read_address_q + NEXT_MAP_ROW;
        else read_address_q <= {ADDRESS_BITS{1'b0}};
      end
    end
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any gaps,
  // stalls, resets and misplaced tlast.

  localparam F_FRAME = ROWS * COLUMNS;

  reg f_running_q = 1'b0;  // a reset lies behind
  reg [ROW_BITS+COLUMN_BITS:0] f_length_q;  // the beats of this frame so far, at most F_FRAME

  always @(posedge clk_i) begin
    f_running_q <= 1'b1;
    if (!rst_ni) f_length_q <= 0;
    else if (take) f_length_q <= s_axis_tlast ? 0 : f_length_q + (f_length_q < F_FRAME);
  end
  always @* assume (f_running_q || !rst_ni);

  always @(posedge clk_i) if (f_running_q) begin
    // A read that is offered stays, until it is taken; only an empty one can turn into the first of a
    // frame.
    if ($past(rst_ni && read_valid_o && !read_ready_i)) streams_hold: assert (
        read_valid_o && $stable(read_buffer_o) && $stable(read_address_o) &&
        ($stable(read_flush_o) || (!read_flush_o && $past(first_step))));
    // frame_error_o is high for one cycle after just the beats that make a frame's length wrong.
    streams_error: assert (frame_error_o == $past(rst_ni && take &&
        (s_axis_tlast ? f_length_q < F_FRAME - 1 : f_length_q == F_FRAME - 1)));
    // A frame becomes readable after just the beats that end one of the right length.
    if ($past(rst_ni && take && s_axis_tlast && f_length_q == F_FRAME - 1))
      streams_full: assert (full_q[$past(write_buffer_q)]);
    else if ($past(rst_ni)) streams_kept: assert ((full_q & ~$past(full_q)) == 2'b00);
  end

  // No buffer is written while it holds a frame that is to be read, and none is read otherwise.
  always @* if (f_running_q) begin
    if (skipping_q) streams_skip: assert (f_length_q == F_FRAME);
    else streams_length: assert (
        row_q < ROWS && column_q < COLUMNS && f_length_q == row_q * COLUMNS + column_q);
    if (read_valid_o && !read_flush_o) streams_read: assert (full_q[read_buffer_o]);
    if (write_en_o) streams_write: assert (!full_q[write_buffer_o]);
    streams_turns: assert (
        write_buffer_q == read_buffer_q ? full_q == 2'b00 || full_q == 2'b11
                                        : full_q[read_buffer_q] && !full_q[write_buffer_q]);
  end

  // Every number is written to the phases and the address of its row and its column.
  always @* if (f_running_q && !skipping_q) begin
    writes_range: assert (row_q < ROWS && column_q < COLUMNS && write_address_q < PLANE_WORDS);
    writes_row: assert (row_address_q == (row_q / ROW_PHASES) * PLANE_COLUMNS);
    writes_address: assert (write_address_q ==
        (row_q / ROW_PHASES) * PLANE_COLUMNS + column_q / COLUMN_PHASES);
    writes_phases: assert (
        row_phase_q == row_q % ROW_PHASES && column_phase_q == column_q % COLUMN_PHASES);
  end

  // Every read is of the address that the header gives, empty positions come only between frames, at
  // most FLUSH of them, and the loops count as the header says.
  wire f_between = channel_q == 0 && map_row_q == 0 && map_column_q == 0 && read_address_q == 0;

  always @* if (f_running_q) begin
    reads_range: assert (
        channel_q < CHANNELS && map_row_q < MAP_ROWS && map_column_q < MAP_COLUMNS &&
        step_row_q < STEP_ROWS && step_column_q < STEP_COLUMNS && read_address_q < PLANE_WORDS);
    reads_flush: assert (flush_q <= FLUSH && (flush_q == 0 || f_between));
    if (flush_q == 0) reads_address: assert (read_address_q ==
        (map_row_q * ROW_STRIDE + step_row_q) * PLANE_COLUMNS +
        map_column_q * COLUMN_STRIDE + step_column_q);
    if (flush_q == 0 && !full_q[read_buffer_q])
      reads_idle: assert (f_between && step_row_q == 0 && step_column_q == 0);
  end

  // The loops turn in their order: the place of a read, counted from the first of its frame, grows by
  // one with each read and ends with the frame.
  localparam F_STEPS = STEP_ROWS * STEP_COLUMNS;
  localparam F_READS = CHANNELS * MAP_ROWS * MAP_COLUMNS * F_STEPS;
  reg [31:0] f_reads_q;  // reads of this frame so far

  always @(posedge clk_i) begin
    if (!rst_ni) f_reads_q <= 0;
    else if (walk) f_reads_q <= frame_read ? 0 : f_reads_q + 1;
  end

  always @* if (f_running_q) begin
    order_range: assert (f_reads_q < F_READS);
    order_place: assert (f_reads_q == ((channel_q * MAP_ROWS + map_row_q) * MAP_COLUMNS +
        map_column_q) * F_STEPS + (flush_q == 0 ? step_row_q * STEP_COLUMNS + step_column_q : 0));
    if (walk) order_end: assert (frame_read == (f_reads_q == F_READS - 1));
  end
`endif

endmodule

`default_nettype wire
