// Depthwise convolution (stride 1, SAME padding with zeros) of one channel after another, with the
// maximum over the whole map, one floor shift and ReLU a channel.
//
//   out[channel] = max(0, floor(max over positions of sum[channel][position] / 2**SHIFT))
//
// Shift, ReLU and maximum are all monotone, so the maximum comes first and the shift once a channel.
//
// Numbers
//   in       unsigned, IN_BITS: activations follow a ReLU and are never negative
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   sum      two's complement, ACC_BITS: the sum after each tap fits, in their order, so nothing
//            saturates; sums of other taps, inside adder_tree, may wrap around, which does no harm
//   out      unsigned, OUT_BITS: the largest shifted sum fits, so nothing is clipped
// Rounding
//   Towards minus infinity: dropping the SHIFT lowest bits of a two's-complement number is the floor.
//
// Windows
//   The values of a plane, MAP_ROWS x MAP_COLUMNS, come row by row and move through a shift register
//   as long as a window, (KERNEL_ROWS - 1) * MAP_COLUMNS + KERNEL_COLUMNS values. All taps of a window
//   stand at fixed places in it, and its centre is LAG values old. Taps outside the map are masked by
//   the centre's row and column; what stands at their places, the neighbouring row or plane, does not
//   matter. So planes follow one another without a bubble. A beat with tuser (flush) is no value: it
//   only moves the ones before it on, and may come only between planes.
// Cycles
//   A window takes STEPS steps of LANES multiplications, a cycle each; then the next value is taken.
//   The value that completes a window is taken in cycle 0; its steps are multiplied in cycles 1 to
//   STEPS, the last sum is in sum_q in cycle STEPS + 2, and if it is the last of its plane, the
//   channel's value is offered in cycle STEPS + 3. A stalled output holds everything.
//
// Example: a map of 2 x 2, values 1 2 / 3 4, kernel 3 x 3 of ones, SHIFT = 1
//   All four windows hold all four values: sums 10 10 10 10, out floor(10 / 2) = 5

`default_nettype none

module dw_conv_max_pool #(
    parameter LANES          = 9,
    parameter STEPS          = 1,
    parameter KERNEL_ROWS    = 3,
    parameter KERNEL_COLUMNS = 3,
    parameter PAD_ROWS       = 1,                  // zeros before the first row
    parameter PAD_COLUMNS    = 1,                  // and before the first column
    parameter MAP_ROWS       = 14,
    parameter MAP_COLUMNS    = 4,
    parameter CHANNELS       = 48,
    parameter IN_BITS        = 12,
    parameter WEIGHT_BITS    = 6,
    parameter PRODUCT_BITS   = 18,
    parameter ACC_BITS       = 21,
    parameter OUT_BITS       = 16,
    parameter SHIFT          = 4,
    parameter STEP_BITS      = 1,                  // holds STEPS - 1
    parameter ROW_BITS       = 4,                  // holds MAP_ROWS - 1
    parameter COLUMN_BITS    = 2,                  // holds MAP_COLUMNS - 1
    parameter ADDRESS_BITS   = 6,                  // holds CHANNELS * STEPS - 1
    parameter WEIGHT_FILE    = ""                  // golden.exports.mem, LANES weights a word
) (
    input  wire                clk_i,
    input  wire                rst_ni,

    input  wire [IN_BITS-1:0]  s_axis_tdata,
    input  wire                s_axis_tvalid,
    output wire                s_axis_tready,
    input  wire                s_axis_tuser,

    output wire [OUT_BITS-1:0] m_axis_tdata,
    output wire                m_axis_tvalid,
    input  wire                m_axis_tready,
    output wire                m_axis_tlast
);

  localparam TAPS  = KERNEL_ROWS * KERNEL_COLUMNS;
  localparam DEPTH = (KERNEL_ROWS - 1) * MAP_COLUMNS + KERNEL_COLUMNS;
  localparam LAG   = (KERNEL_ROWS - 1 - PAD_ROWS) * MAP_COLUMNS + KERNEL_COLUMNS - 1 - PAD_COLUMNS;

  generate
    if (KERNEL_ROWS < 1 || KERNEL_COLUMNS < 1) begin : g_illegal_kernel
      dw_conv_max_pool_requires_KERNEL_ROWS_and_KERNEL_COLUMNS_of_at_least_1 illegal ();
    end
    if (LANES * STEPS != TAPS) begin : g_illegal_steps
      dw_conv_max_pool_requires_LANES_times_STEPS_of_all_taps illegal ();
    end
    if (PAD_ROWS < 0 || PAD_ROWS >= KERNEL_ROWS || PAD_COLUMNS < 0 || PAD_COLUMNS >= KERNEL_COLUMNS)
    begin : g_illegal_padding
      dw_conv_max_pool_requires_PAD_ROWS_and_PAD_COLUMNS_within_the_kernel illegal ();
    end
    if (MAP_ROWS < 1 || MAP_COLUMNS < 1) begin : g_illegal_map
      dw_conv_max_pool_requires_MAP_ROWS_and_MAP_COLUMNS_of_at_least_1 illegal ();
    end
    if (IN_BITS < 1) begin : g_illegal_in_bits
      dw_conv_max_pool_requires_IN_BITS_of_at_least_1 illegal ();
    end
    if (SHIFT < 0) begin : g_illegal_shift
      dw_conv_max_pool_requires_SHIFT_of_at_least_0 illegal ();
    end
    if (OUT_BITS < 1 || ACC_BITS <= SHIFT + OUT_BITS) begin : g_illegal_acc_bits
      dw_conv_max_pool_requires_ACC_BITS_above_SHIFT_plus_OUT_BITS illegal ();
    end
    if (ROW_BITS < 1 || (MAP_ROWS - 1) >> ROW_BITS != 0) begin : g_illegal_row_bits
      dw_conv_max_pool_requires_ROW_BITS_to_hold_MAP_ROWS_minus_1 illegal ();
    end
    if (COLUMN_BITS < 1 || (MAP_COLUMNS - 1) >> COLUMN_BITS != 0) begin : g_illegal_column_bits
      dw_conv_max_pool_requires_COLUMN_BITS_to_hold_MAP_COLUMNS_minus_1 illegal ();
    end
  endgenerate

  localparam [ROW_BITS-1:0]    LAST_ROW    = MAP_ROWS[ROW_BITS-1:0] - 1'b1;
  localparam [COLUMN_BITS-1:0] LAST_COLUMN = MAP_COLUMNS[COLUMN_BITS-1:0] - 1'b1;

  // ---- Line buffer: the newest value lowest; pending_q[LAG] says that the centre waits for its steps --

  reg  [DEPTH*IN_BITS-1:0] line_q;
  reg  [LAG:0]             pending_q;   // which of the newest values are centres still to come
  reg  [LAG:0]             shifted;

  wire advance;
  wire window_valid = pending_q[LAG];
  wire multiply_en  = window_valid & advance;
  wire last_step;
  wire take = s_axis_tvalid & s_axis_tready;

  assign s_axis_tready = advance & (~window_valid | last_step);

  always @* begin
    shifted = pending_q << 1;
    shifted[0] = ~s_axis_tuser;
  end

  always @(posedge clk_i) begin
    if (!rst_ni) pending_q <= {(LAG + 1){1'b0}};
    else if (take) pending_q <= shifted;
    else if (multiply_en & last_step) pending_q[LAG] <= 1'b0;
  end

  generate
    if (DEPTH == 1) begin : g_one_value
      always @(posedge clk_i) if (take) line_q <= s_axis_tdata;
    end else begin : g_line
      always @(posedge clk_i) if (take) line_q <= {line_q[(DEPTH-1)*IN_BITS-1:0], s_axis_tdata};
    end
  endgenerate

  // ---- Place of the centre, and which rows and columns of its window lie within the map ----------------

  reg [ROW_BITS-1:0]       row_q;
  reg [COLUMN_BITS-1:0]    column_q;
  reg [KERNEL_ROWS-1:0]    row_inside;
  reg [KERNEL_COLUMNS-1:0] column_inside;

  wire last_column    = column_q == LAST_COLUMN;
  wire last_position  = last_column & (row_q == LAST_ROW);
  wire first_position = (row_q == {ROW_BITS{1'b0}}) & (column_q == {COLUMN_BITS{1'b0}});

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      row_q    <= {ROW_BITS{1'b0}};
      column_q <= {COLUMN_BITS{1'b0}};
    end else if (multiply_en & last_step) begin
      column_q <= last_column ? {COLUMN_BITS{1'b0}} : column_q + 1'b1;
      if (last_column) row_q <= last_position ? {ROW_BITS{1'b0}} : row_q + 1'b1;
    end
  end

  // Tap row i lies i - PAD_ROWS below the centre: outside if the centre is closer than that to the edge.
  integer i, near;
  always @* begin
    row_inside = {KERNEL_ROWS{1'b1}};
    for (i = 0; i < KERNEL_ROWS; i = i + 1)
      for (near = 0; near < KERNEL_ROWS && near < MAP_ROWS; near = near + 1) begin
        if (near < PAD_ROWS - i && row_q == near[ROW_BITS-1:0]) row_inside[i] = 1'b0;
        if (near < i - PAD_ROWS && row_q == LAST_ROW - near[ROW_BITS-1:0]) row_inside[i] = 1'b0;
      end
  end

  integer j, next;
  always @* begin
    column_inside = {KERNEL_COLUMNS{1'b1}};
    for (j = 0; j < KERNEL_COLUMNS; j = j + 1)
      for (next = 0; next < KERNEL_COLUMNS && next < MAP_COLUMNS; next = next + 1) begin
        if (next < PAD_COLUMNS - j && column_q == next[COLUMN_BITS-1:0]) column_inside[j] = 1'b0;
        if (next < j - PAD_COLUMNS && column_q == LAST_COLUMN - next[COLUMN_BITS-1:0])
          column_inside[j] = 1'b0;
      end
  end

  wire [TAPS*IN_BITS-1:0] window;

  genvar y, x;
  generate
    for (y = 0; y < KERNEL_ROWS; y = y + 1) begin : g_window_row
      for (x = 0; x < KERNEL_COLUMNS; x = x + 1) begin : g_window_column
        localparam PLACE = (KERNEL_ROWS - 1 - y) * MAP_COLUMNS + KERNEL_COLUMNS - 1 - x;
        assign window[(y*KERNEL_COLUMNS+x)*IN_BITS +: IN_BITS] =
            line_q[PLACE*IN_BITS +: IN_BITS] & {IN_BITS{row_inside[y] & column_inside[x]}};
      end
    end
  endgenerate

  // ---- Multiply and accumulate: LANES taps a step, which are never negative -----------------------------

  wire [STEP_BITS-1:0]           step;
  wire                           last_channel;
  reg  [LANES*IN_BITS-1:0]       taps;                // of the step at hand
  wire [LANES*(IN_BITS+1)-1:0]   signed_taps;
  wire                           sum_valid;           // sum is the sum of a whole window
  wire [2:0]                     sum_marks;
  wire                           sum_plane_first  = sum_marks[0];   // the window is the first of its plane
  wire                           sum_plane_last   = sum_marks[1];
  wire                           sum_channel_last = sum_marks[2];   // its channel is the last of the frame
  wire signed [ACC_BITS-1:0]     sum;

  // Every step's part of the window, masked unless it is its turn: an index would make a shifter of
  // it, which takes a sixth more cells in all where a step is a tap.
  integer s;
  always @* begin
    taps = {(LANES * IN_BITS){1'b0}};
    for (s = 0; s < STEPS; s = s + 1)
      taps = taps | (window[s*LANES*IN_BITS +: LANES*IN_BITS]
                     & {(LANES * IN_BITS){STEPS == 1 || step == s[STEP_BITS-1:0]}});
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      assign signed_taps[l*(IN_BITS+1) +: IN_BITS+1] = {1'b0, taps[l*IN_BITS +: IN_BITS]};
    end
  endgenerate

`ifdef FORMAL
  wire f_product_valid, f_product_last;
  wire [2:0] f_product_marks;
  wire f_product_plane_first = f_product_marks[0];
  wire f_product_plane_last  = f_product_marks[1];
`endif

  multiply_accumulate #(
      .LANES(LANES),
      .STEPS(STEPS),
      .CHANNELS(CHANNELS),
      .TAP_BITS(IN_BITS + 1),
      .WEIGHT_BITS(WEIGHT_BITS),
      .PRODUCT_BITS(PRODUCT_BITS),
      .ACC_BITS(ACC_BITS),
      .MARK_BITS(3),
      .STEP_BITS(STEP_BITS),
      .ADDRESS_BITS(ADDRESS_BITS),
      .WEIGHT_FILE(WEIGHT_FILE)
  ) mac (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .advance_i(advance),
      .step_valid_i(window_valid),
      .taps_i(signed_taps),
      .marks_i({last_channel, last_position, first_position}),
      .plane_end_i(last_position),
      .step_o(step),
      .last_step_o(last_step),
      .last_channel_o(last_channel),
`ifdef FORMAL
      .product_valid_o(f_product_valid),
      .product_last_o(f_product_last),
      .product_marks_o(f_product_marks),
`endif
      .sum_valid_o(sum_valid),
      .sum_o(sum),
      .marks_o(sum_marks)
  );

  // ---- Running maximum, never below 0, which is the ReLU; then the floor shift ---------------------------

  localparam MAX_BITS = SHIFT + OUT_BITS;   // without sign

  reg  [MAX_BITS-1:0] max_q;
  wire [MAX_BITS-1:0] max_before = sum_plane_first ? {MAX_BITS{1'b0}} : max_q;
  wire                larger     = sum > $signed({{(ACC_BITS - MAX_BITS){1'b0}}, max_before});
  wire [MAX_BITS-1:0] max        = larger ? sum[MAX_BITS-1:0] : max_before;
  wire                compare_en = advance & sum_valid;

  always @(posedge clk_i) if (compare_en) max_q <= max;

  stream_register #(
      .BITS(OUT_BITS)
  ) out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .s_axis_tdata(max[MAX_BITS-1:SHIFT]),
      .s_axis_tvalid(sum_valid & sum_plane_last),
      .s_axis_tready(advance),
      .s_axis_tuser(sum_channel_last),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tuser(m_axis_tlast)
  );

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, values up to INPUT_MAX, gaps, stalls and resets, and flushes between planes.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
  always @* assume (s_axis_tuser ? f_coming_q == 0 : s_axis_tdata <= `INPUT_MAX);
`ifdef LARGEST_PRODUCTS
  always @* assume (s_axis_tvalid && m_axis_tready && rst_ni == f_running_q && !s_axis_tuser);
  always @* assume (s_axis_tdata == `INPUT_MAX);
`endif

  // A value that is offered stays, unchanged, until it is accepted.
  always @(posedge clk_i)
    if (f_running_q && $past(rst_ni && m_axis_tvalid && !m_axis_tready)) streams_hold: assert (
        m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tlast));

  // A window is made of its own plane alone: where a tap lies within the map, it is the value of just
  // that place, otherwise it is 0, whatever stands in the line.
  localparam F_POSITIONS  = MAP_ROWS * MAP_COLUMNS;
  localparam F_PLACE_BITS = ROW_BITS + COLUMN_BITS + 1;
  reg [F_PLACE_BITS-1:0]       f_coming_q;  // place of the next value in its plane
  reg [DEPTH-1:0]              f_value_q;   // where the line holds values, not flushes or older things
  reg [DEPTH*F_PLACE_BITS-1:0] f_place_q;   // their places
  reg                          f_line_holds, f_windows_hold;
  integer f_i, f_y, f_x, f_row, f_column, f_slot;

  always @(posedge clk_i) begin
    if (!rst_ni) f_coming_q <= 0;
    else if (take && !s_axis_tuser)
      f_coming_q <= f_coming_q == F_POSITIONS - 1 ? 0 : f_coming_q + 1;
    if (!rst_ni) f_value_q <= 0;
    else if (take) f_value_q <= {f_value_q, !s_axis_tuser};
    if (take) f_place_q <= {f_place_q, f_coming_q};
  end

  // Neighbours in the line are neighbours in the plane, and the values behind the centre are pending.
  wire [(DEPTH+1)*F_PLACE_BITS-1:0] f_places = f_place_q;
  wire [DEPTH:0]                    f_values = f_value_q;
  wire [DEPTH-1:0]                  f_pending = pending_q;
  reg  [F_PLACE_BITS-1:0]           f_place, f_before;
  reg  [F_PLACE_BITS-1:0]           f_next;  // place of the centre that comes next

  always @* begin
    f_place      = f_places[F_PLACE_BITS-1:0];
    f_line_holds = f_coming_q == (!f_value_q[0] || f_place == F_POSITIONS - 1 ? 0 : f_place + 1);
    f_next       = f_coming_q;
    for (f_i = 0; f_i < DEPTH; f_i = f_i + 1) begin
      f_place  = f_places[f_i*F_PLACE_BITS +: F_PLACE_BITS];
      f_before = f_places[(f_i+1)*F_PLACE_BITS +: F_PLACE_BITS];
      if (f_value_q[f_i] && (line_q[f_i*IN_BITS +: IN_BITS] > `INPUT_MAX || f_place >= F_POSITIONS))
        f_line_holds = 1'b0;
      if (f_value_q[f_i] && f_place != 0 && f_i < DEPTH - 1 &&
          !(f_values[f_i+1] && f_before == f_place - 1)) f_line_holds = 1'b0;
      if (f_values[f_i+1] && f_before != F_POSITIONS - 1 &&
          !(f_value_q[f_i] && f_place == f_before + 1)) f_line_holds = 1'b0;
      if (f_pending[f_i] ? !f_value_q[f_i] : f_i < LAG && f_value_q[f_i]) f_line_holds = 1'b0;
      if (f_pending[f_i]) f_next = f_place;
    end
  end

  always @* begin
    f_windows_hold = 1'b1;
    for (f_y = 0; f_y < KERNEL_ROWS; f_y = f_y + 1)
      for (f_x = 0; f_x < KERNEL_COLUMNS; f_x = f_x + 1) begin
        f_row    = row_q + f_y - PAD_ROWS;
        f_column = column_q + f_x - PAD_COLUMNS;
        f_slot   = (KERNEL_ROWS - 1 - f_y) * MAP_COLUMNS + KERNEL_COLUMNS - 1 - f_x;
        if (f_row >= 0 && f_row < MAP_ROWS && f_column >= 0 && f_column < MAP_COLUMNS) begin
          if (!f_value_q[f_slot] || window[(f_y*KERNEL_COLUMNS+f_x)*IN_BITS +: IN_BITS] !=
                  line_q[f_slot*IN_BITS +: IN_BITS] ||
              f_place_q[f_slot*F_PLACE_BITS +: F_PLACE_BITS] != f_row * MAP_COLUMNS + f_column)
            f_windows_hold = 1'b0;
        end else if (window[(f_y*KERNEL_COLUMNS+f_x)*IN_BITS +: IN_BITS] != 0)
          f_windows_hold = 1'b0;
      end
  end

  always @* if (f_running_q) begin
    windows_line: assert (f_line_holds);
    windows_centre: assert (row_q <= LAST_ROW && column_q <= LAST_COLUMN &&
        row_q * MAP_COLUMNS + column_q == f_next);
    if (window_valid) windows_taps: assert (f_windows_hold);
  end

  // Every plane gives one value, in order, with tlast where its channel is the last, as the plane
  // f_plane shows; both are counted modulo 4, because at most three are on their way.
  (* anyconst *) reg [1:0] f_plane;
  reg [1:0] f_planes_q, f_maxima_q;  // planes that are multiplied, values that are accepted
  reg       f_last_q;                // f_plane is of the last channel

  wire       f_plane_end     = window_valid && advance && last_step && last_position;
  wire       f_product_whole = f_product_valid && f_product_last && f_product_plane_last;
  wire       f_sum_whole     = sum_valid && sum_plane_last;
  wire [1:0] f_sum_plane     = f_maxima_q + m_axis_tvalid;
  wire [1:0] f_last_plane    = f_sum_plane + f_sum_whole;

  always @(posedge clk_i) begin
    f_planes_q <= !rst_ni ? 0 : f_planes_q + f_plane_end;
    f_maxima_q <= !rst_ni ? 0 : f_maxima_q + (m_axis_tvalid && m_axis_tready);
    if (f_plane_end && f_planes_q == f_plane) f_last_q <= last_channel;
  end

  always @* if (f_running_q) begin
    planes_count: assert (f_planes_q == f_last_plane + f_product_whole);
    if (f_product_whole && f_last_plane == f_plane)
      planes_product: assert (f_product_marks[2] == f_last_q);
    if (f_sum_whole && f_sum_plane == f_plane) planes_sum: assert (sum_channel_last == f_last_q);
    if (m_axis_tvalid && f_maxima_q == f_plane) planes_last: assert (m_axis_tlast == f_last_q);
  end

  // A value is the largest sum of its plane, or 0, shifted: the sum of no position, of any f_position,
  // is larger, and one is just as large, that of f_best_q, unless none is positive.
  (* anyconst *) reg [F_PLACE_BITS-1:0] f_position;
  reg [F_PLACE_BITS-1:0]  f_product_place_q, f_sum_place_q, f_best_q;
  reg [F_PLACE_BITS-1:0]  f_compared_q;            // sums of this plane that are compared
  reg                     f_seen_q, f_positive_q;  // that of f_position is, a positive one is
  reg signed [ACC_BITS-1:0] f_seen_sum_q;

  wire [F_PLACE_BITS-1:0] f_centre  = row_q * MAP_COLUMNS + column_q;
  wire [F_PLACE_BITS-1:0] f_working = f_product_valid ? f_product_place_q : f_centre;
  wire f_open = f_compared_q != 0 || m_axis_tvalid;  // max_q counts

  always @* assume (f_position < F_POSITIONS);
  always @(posedge clk_i) begin
    if (multiply_en) f_product_place_q <= f_centre;
    if (advance && f_product_valid) f_sum_place_q <= f_product_place_q;
    if (!rst_ni) f_compared_q <= 0;
    else if (compare_en) f_compared_q <= sum_plane_last ? 0 : f_compared_q + 1;
    if (compare_en) begin
      f_seen_q     <= f_sum_place_q == f_position || (f_seen_q && !sum_plane_first);
      f_positive_q <= larger || (f_positive_q && !sum_plane_first);
      if (larger) f_best_q <= f_sum_place_q;
      if (f_sum_place_q == f_position) f_seen_sum_q <= sum;
    end
  end

  always @* if (f_running_q) begin
    if (sum_valid) pool_fits: assert (sum < $signed({2'b01, {MAX_BITS{1'b0}}}));
    pool_place: assert (f_compared_q == (sum_valid ? f_sum_place_q : f_working));
    if (f_product_valid) pool_product: assert (f_product_place_q < F_POSITIONS &&
        f_product_plane_first == (f_product_place_q == 0) &&
        f_product_plane_last == (f_product_place_q == F_POSITIONS - 1) &&
        f_centre == (!f_product_last ? f_product_place_q
                     : f_product_plane_last ? 0 : f_product_place_q + 1));
    if (sum_valid) pool_sum: assert (f_sum_place_q < F_POSITIONS &&
        sum_plane_first == (f_sum_place_q == 0) &&
        sum_plane_last == (f_sum_place_q == F_POSITIONS - 1) &&
        f_working == (sum_plane_last ? 0 : f_sum_place_q + 1));
    if (f_open) pool_seen: assert (f_seen_q == (f_compared_q == 0 || f_position < f_compared_q));
    if (f_open && f_seen_q) pool_largest: assert (f_seen_sum_q <= $signed({1'b0, max_q}));
    if (f_open && f_positive_q && f_best_q == f_position)
      pool_reached: assert (f_seen_q && f_seen_sum_q == max_q);
    if (f_open && !f_positive_q) pool_zero: assert (max_q == 0);
    if (m_axis_tvalid) pool_value: assert (m_axis_tdata == max_q >> SHIFT);
  end

  // It is offered in the cycle after its last sum is compared, and at no other time.
  always @(posedge clk_i) if (f_running_q) pool_offer: assert (m_axis_tvalid == $past(
      rst_ni && (advance ? compare_en && f_sum_place_q == F_POSITIONS - 1 : m_axis_tvalid)));
`endif

endmodule

`default_nettype wire
