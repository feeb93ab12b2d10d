// Frame memory of conv_1: every multiplier has a small memory of its own, so that all the numbers of a
// step are read at once, from one address, without a switch between memories and multipliers.
//
// A lane (a, b), a < LANE_ROWS, b < LANE_COLUMNS, delivers tap (a, b) of the part of a window that a
// step works on. Where a step covers the kernel's whole height, windows advance by ROW_PHASES rows, so
// that lane needs only the rows r with r mod ROW_PHASES = a mod ROW_PHASES; likewise for the columns.
// It keeps those numbers, its plane, row by row, PLANE_COLUMNS to a row, of two frames.
//
//   tap (a, b) of address A = plane[A + (a / ROW_PHASES) * PLANE_COLUMNS + b / COLUMN_PHASES]
//
// Numbers
//   DATA_BITS wide; they pass through unchanged.
// Cycles
//   A read that is taken in cycle 0 is offered in cycle 1. One a cycle.
// Streams
//   read_*   one read a beat: buffer, address, and whether it is only to flush what follows (tuser)
//   m_axis   LANE_ROWS * LANE_COLUMNS numbers a beat, lane (0, 0) lowest, then (0, 1); stalls hold all
//
// Example: LANE_ROWS = LANE_COLUMNS = 4, ROW_PHASES = COLUMN_PHASES = 2, PLANE_COLUMNS = 5
//   Number (7, 3) of the fingerprint: phases (1, 1), address 3 * 5 + 1 = 16; lanes (1, 1), (1, 3),
//   (3, 1) and (3, 3) keep it. A read of address 10 starts at row 4, column 0: lane (3, 3) delivers
//   word 10 + 5 + 1 = 16.

`default_nettype none

module window_memory #(
    parameter DATA_BITS         = 6,
    parameter LANE_ROWS         = 4,
    parameter LANE_COLUMNS      = 4,
    parameter ROW_PHASES        = 2,
    parameter COLUMN_PHASES     = 2,
    parameter PLANE_COLUMNS     = 5,
    parameter PLANE_WORDS       = 75,
    parameter ROW_PHASE_BITS    = 1,               // holds ROW_PHASES - 1
    parameter COLUMN_PHASE_BITS = 1,               // holds COLUMN_PHASES - 1
    parameter ADDRESS_BITS      = 7                // holds PLANE_WORDS - 1
) (
    input  wire                                        clk_i,
    input  wire                                        rst_ni,

    input  wire                                        write_en_i,
    input  wire                                        write_buffer_i,
    input  wire [ADDRESS_BITS-1:0]                     write_address_i,
    input  wire [ROW_PHASE_BITS-1:0]                   write_row_phase_i,
    input  wire [COLUMN_PHASE_BITS-1:0]                write_column_phase_i,
    input  wire [DATA_BITS-1:0]                        write_data_i,

    input  wire                                        read_valid_i,
    output wire                                        read_ready_o,
    input  wire                                        read_buffer_i,
    input  wire [ADDRESS_BITS-1:0]                     read_address_i,
    input  wire                                        read_flush_i,

    output wire [LANE_ROWS*LANE_COLUMNS*DATA_BITS-1:0] m_axis_tdata,
    output wire                                        m_axis_tvalid,
    input  wire                                        m_axis_tready,
    output wire                                        m_axis_tuser
);

  generate
    if (DATA_BITS < 1) begin : g_illegal_data_bits
      window_memory_requires_DATA_BITS_of_at_least_1 illegal ();
    end
    if (LANE_ROWS < 1 || LANE_COLUMNS < 1) begin : g_illegal_lanes
      window_memory_requires_LANE_ROWS_and_LANE_COLUMNS_of_at_least_1 illegal ();
    end
    if (ROW_PHASES < 1 || COLUMN_PHASES < 1) begin : g_illegal_phases
      window_memory_requires_ROW_PHASES_and_COLUMN_PHASES_of_at_least_1 illegal ();
    end
    if (PLANE_COLUMNS < 1) begin : g_illegal_plane_columns
      window_memory_requires_PLANE_COLUMNS_of_at_least_1 illegal ();
    end
    if (ROW_PHASE_BITS < 1 || (ROW_PHASES - 1) >> ROW_PHASE_BITS != 0) begin : g_illegal_row_bits
      window_memory_requires_ROW_PHASE_BITS_to_hold_ROW_PHASES_minus_1 illegal ();
    end
    if (COLUMN_PHASE_BITS < 1 || (COLUMN_PHASES - 1) >> COLUMN_PHASE_BITS != 0)
    begin : g_illegal_column_bits
      window_memory_requires_COLUMN_PHASE_BITS_to_hold_COLUMN_PHASES_minus_1 illegal ();
    end
    if (ADDRESS_BITS < 1 || (PLANE_WORDS - 1) >> ADDRESS_BITS != 0) begin : g_illegal_address_bits
      window_memory_requires_ADDRESS_BITS_to_hold_PLANE_WORDS_minus_1 illegal ();
    end
  endgenerate

  wire read_en = read_valid_i & read_ready_o;

  stream_register #(
      .BITS(1)
  ) out (   // the numbers stand in the registers of the memories
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .s_axis_tdata(1'b0),
      .s_axis_tvalid(read_valid_i),
      .s_axis_tready(read_ready_o),
      .s_axis_tuser(read_flush_i),
      /* verilator lint_off PINCONNECTEMPTY */
      .m_axis_tdata(),
      /* verilator lint_on PINCONNECTEMPTY */
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tuser(m_axis_tuser)
  );

  genvar a, b;
  generate
    for (a = 0; a < LANE_ROWS; a = a + 1) begin : g_row
      for (b = 0; b < LANE_COLUMNS; b = b + 1) begin : g_column
        localparam ROW_PHASE    = a % ROW_PHASES;
        localparam COLUMN_PHASE = b % COLUMN_PHASES;
        localparam OFFSET       = (a / ROW_PHASES) * PLANE_COLUMNS + b / COLUMN_PHASES;

        reg [DATA_BITS-1:0] plane [0:2**(ADDRESS_BITS+1)-1];   // the two buffers
        reg [DATA_BITS-1:0] tap_q;

        wire [ADDRESS_BITS-1:0] address = read_address_i + OFFSET[ADDRESS_BITS-1:0];
        wire keep = write_row_phase_i == ROW_PHASE[ROW_PHASE_BITS-1:0]
                    && write_column_phase_i == COLUMN_PHASE[COLUMN_PHASE_BITS-1:0];

        always @(posedge clk_i) begin
          if (write_en_i && keep) plane[{write_buffer_i, write_address_i}] <= write_data_i;
          if (read_en) tap_q <= plane[{read_buffer_i, address}];
        end

        assign m_axis_tdata[(a*LANE_COLUMNS+b)*DATA_BITS +: DATA_BITS] = tap_q;
      end
    end
  endgenerate

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // numbers, writes, reads, gaps, stalls and resets.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);

  always @(posedge clk_i) if (f_running_q) begin
    // A step that is offered stays, unchanged, until it is accepted.
    if ($past(rst_ni && m_axis_tvalid && !m_axis_tready)) streams_hold: assert (
        m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tuser));
    // Each read that is taken is offered in the next cycle, and nothing else is.
    else if ($past(rst_ni && read_valid_i && read_ready_o))
      streams_read: assert (m_axis_tvalid && m_axis_tuser == $past(read_flush_i));
    else streams_empty: assert (!m_axis_tvalid);
  end

  // The tap of any lane is the number that was last written to its phases, its buffer and its address:
  // of lane (f_row, f_column), for reads of address f_address in buffer f_buffer.
  (* anyconst *) reg [7:0]              f_row;
  (* anyconst *) reg [7:0]              f_column;
  (* anyconst *) reg                    f_buffer;
  (* anyconst *) reg [ADDRESS_BITS-1:0] f_address;
  reg                 f_written_q;
  reg [DATA_BITS-1:0] f_number_q;
  reg                 f_expects_q;  // the step that is offered is a read of that address
  reg [DATA_BITS-1:0] f_expected_q;

  wire [ADDRESS_BITS:0] f_word =
      f_address + (f_row / ROW_PHASES) * PLANE_COLUMNS + f_column / COLUMN_PHASES;
  wire f_lane  = f_row < LANE_ROWS && f_column < LANE_COLUMNS && f_word < PLANE_WORDS;
  wire f_write = write_en_i && write_buffer_i == f_buffer && write_address_i == f_word &&
      write_row_phase_i == f_row % ROW_PHASES && write_column_phase_i == f_column % COLUMN_PHASES;
  wire f_read  = read_buffer_i == f_buffer && read_address_i == f_address;

  always @* assume (f_lane);
  always @(posedge clk_i) begin
    f_written_q <= f_running_q && (f_written_q || f_write);
    if (f_write) f_number_q <= write_data_i;
    if (read_en) f_expects_q <= f_running_q && f_written_q && f_read;
    if (read_en) f_expected_q <= f_number_q;
  end

  always @* if (f_running_q && m_axis_tvalid && f_expects_q) taps_value: assert (
      m_axis_tdata[(f_row*LANE_COLUMNS+f_column)*DATA_BITS +: DATA_BITS] == f_expected_q);
`endif

endmodule

`default_nettype wire
