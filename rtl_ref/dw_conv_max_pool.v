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
    parameter WEIGHT_FILE    = "dw_conv.mem"       // golden.mem, LANES weights a word
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
    if (IN_BITS < 1 || WEIGHT_BITS < 2) begin : g_illegal_operand_bits
      dw_conv_max_pool_requires_IN_BITS_of_at_least_1_and_WEIGHT_BITS_of_at_least_2 illegal ();
    end
    if (SHIFT < 0) begin : g_illegal_shift
      dw_conv_max_pool_requires_SHIFT_of_at_least_0 illegal ();
    end
    if (PRODUCT_BITS <= IN_BITS || PRODUCT_BITS < WEIGHT_BITS) begin : g_illegal_product_bits
      dw_conv_max_pool_requires_PRODUCT_BITS_above_IN_BITS_and_of_at_least_WEIGHT_BITS illegal ();
    end
    if (ACC_BITS < PRODUCT_BITS) begin : g_illegal_acc_bits_product
      dw_conv_max_pool_requires_ACC_BITS_of_at_least_PRODUCT_BITS illegal ();
    end
    if (OUT_BITS < 1 || ACC_BITS <= SHIFT + OUT_BITS) begin : g_illegal_acc_bits_out
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

  wire advance      = ~m_axis_tvalid | m_axis_tready;
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

  // ---- Multiply: LANES taps a step; both operands extended to the product's width -----------------------

  wire [LANES*WEIGHT_BITS-1:0] weights;
  wire [STEP_BITS-1:0]         step;
  wire                         first_step;
  wire                         last_channel;

  kernel_weights #(
      .LANES(LANES),
      .STEPS(STEPS),
      .CHANNELS(CHANNELS),
      .WEIGHT_BITS(WEIGHT_BITS),
      .STEP_BITS(STEP_BITS),
      .ADDRESS_BITS(ADDRESS_BITS),
      .WEIGHT_FILE(WEIGHT_FILE)
  ) kernel (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .step_en_i(multiply_en),
      .plane_end_i(last_position),
      .weights_o(weights),
      .step_o(step),
      .first_step_o(first_step),
      .last_step_o(last_step),
      .last_channel_o(last_channel)
  );

  wire [LANES*IN_BITS-1:0]     taps = window[step*(LANES*IN_BITS) +: LANES*IN_BITS];

  reg                       product_valid_q;
  reg                       product_first_q;          // they are the first of their window
  reg                       product_last_q;
  reg                       product_plane_first_q;    // their window is the first of its plane
  reg                       product_plane_last_q;
  reg                       product_channel_last_q;   // their channel is the last of the frame
  wire [LANES*ACC_BITS-1:0] terms;

  always @(posedge clk_i) begin
    if (!rst_ni) product_valid_q <= 1'b0;
    else if (advance) product_valid_q <= window_valid;
    if (multiply_en) begin
      product_first_q        <= first_step;
      product_last_q         <= last_step;
      product_plane_first_q  <= first_position;
      product_plane_last_q   <= last_position;
      product_channel_last_q <= last_channel;
    end
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      wire        [WEIGHT_BITS-1:0]  factor = weights[l*WEIGHT_BITS +: WEIGHT_BITS];
      wire signed [PRODUCT_BITS-1:0] tap    =
          {{(PRODUCT_BITS - IN_BITS){1'b0}}, taps[l*IN_BITS +: IN_BITS]};
      wire signed [PRODUCT_BITS-1:0] weight =
          {{(PRODUCT_BITS - WEIGHT_BITS + 1){factor[WEIGHT_BITS-1]}}, factor[WEIGHT_BITS-2:0]};
      reg  signed [PRODUCT_BITS-1:0] product_q;

      always @(posedge clk_i) if (multiply_en) product_q <= tap * weight;

      assign terms[l*ACC_BITS +: ACC_BITS] =
          {{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}, product_q[PRODUCT_BITS-2:0]};
    end
  endgenerate

  // ---- Accumulate ---------------------------------------------------------------------------------------

  reg                        sum_valid_q;          // sum_q is the sum of a whole window
  reg                        sum_plane_first_q;
  reg                        sum_plane_last_q;
  reg                        sum_channel_last_q;
  reg  signed [ACC_BITS-1:0] sum_q;
  wire        [ACC_BITS-1:0] step_sum;
  wire        [ACC_BITS-1:0] sum_before = product_first_q ? {ACC_BITS{1'b0}} : sum_q;

  adder_tree #(
      .INPUTS(LANES),
      .BITS(ACC_BITS)
  ) tree (
      .terms_i(terms),
      .sum_o(step_sum)
  );

  always @(posedge clk_i) begin
    if (!rst_ni) sum_valid_q <= 1'b0;
    else if (advance) sum_valid_q <= product_valid_q & product_last_q;
    if (advance & product_valid_q) begin
      sum_q              <= sum_before + step_sum;
      sum_plane_first_q  <= product_plane_first_q;
      sum_plane_last_q   <= product_plane_last_q;
      sum_channel_last_q <= product_channel_last_q;
    end
  end

  // ---- Running maximum, never below 0, which is the ReLU; then the floor shift into a register -----------

  localparam MAX_BITS = SHIFT + OUT_BITS;   // without sign

  reg  [MAX_BITS-1:0] max_q;
  wire [MAX_BITS-1:0] max_before = sum_plane_first_q ? {MAX_BITS{1'b0}} : max_q;
  wire                larger     = sum_q > $signed({{(ACC_BITS - MAX_BITS){1'b0}}, max_before});
  wire [MAX_BITS-1:0] max        = larger ? sum_q[MAX_BITS-1:0] : max_before;
  wire                compare_en = advance & sum_valid_q;

  reg                out_valid_q;
  reg                out_last_q;
  reg [OUT_BITS-1:0] out_data_q;

  assign m_axis_tvalid = out_valid_q;
  assign m_axis_tdata  = out_data_q;
  assign m_axis_tlast  = out_last_q;

  always @(posedge clk_i) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (advance) out_valid_q <= sum_valid_q & sum_plane_last_q;
    if (compare_en) max_q <= max;
    if (compare_en & sum_plane_last_q) begin
      out_data_q <= max[MAX_BITS-1:SHIFT];
      out_last_q <= sum_channel_last_q;
    end
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, values up to INPUT_MAX, gaps, stalls and resets, and flushes between planes.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
  always @* assume (s_axis_tuser ? f_coming_q == 0 : s_axis_tdata <= `INPUT_MAX);
`ifdef SMALLEST_PRODUCTS
  localparam [WEIGHT_BITS-1:0] F_WEIGHT = 1 << (WEIGHT_BITS - 1);
  always @* assume (s_axis_tvalid && m_axis_tready && rst_ni == f_running_q && !s_axis_tuser);
  always @* assume (s_axis_tdata == `INPUT_MAX);
  always @* assume (!f_running_q || weights == {LANES{F_WEIGHT}});
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

  // Every flag agrees with the step that its stage works on.
  localparam [STEP_BITS:0] F_LAST_STEP = STEPS - 1;
  reg [STEP_BITS-1:0] f_product_step_q;
  reg [STEP_BITS:0]   f_steps_q;  // steps in the sum

  always @(posedge clk_i) begin
    if (multiply_en) f_product_step_q <= step;
    if (advance && product_valid_q) f_steps_q <= product_first_q ? 1 : f_steps_q + 1;
  end

  always @* if (f_running_q) begin
    control_range: assert (step <= F_LAST_STEP);
    if (product_valid_q) control_product: assert (
        product_first_q == (f_product_step_q == 0) &&
        product_last_q == (f_product_step_q == F_LAST_STEP) &&
        step == (product_last_q ? 0 : f_product_step_q + 1));
    control_steps: assert (product_valid_q ? f_product_step_q == 0 || f_product_step_q == f_steps_q
                                           : step == 0 || step == f_steps_q);
    if (sum_valid_q) control_sum: assert (f_steps_q == STEPS);
  end

  // Every product is exact and lies between the smallest and the largest of its operands' ranges.
  localparam F_BITS = ACC_BITS + STEP_BITS + 2;  // no sum below wraps
  localparam signed [F_BITS-1:0] F_LARGEST  = ((1 << (WEIGHT_BITS - 1)) - 1) * `INPUT_MAX;
  localparam signed [F_BITS-1:0] F_SMALLEST = -(1 << (WEIGHT_BITS - 1)) * `INPUT_MAX;
  reg [LANES*F_BITS-1:0]  f_products;
  reg                     f_taps_fit, f_products_fit, f_products_exact;
  reg signed [F_BITS-1:0] f_product;
  reg signed [PRODUCT_BITS-1:0] f_tap, f_weight;
  reg [LANES*PRODUCT_BITS-1:0]  f_exact, f_exact_q;  // as wide as F_SMALLEST and F_LARGEST need
  integer f_l;

  always @* begin
    f_taps_fit       = 1'b1;
    f_products_fit   = 1'b1;
    f_products_exact = 1'b1;
    for (f_l = 0; f_l < LANES; f_l = f_l + 1) begin
      f_product = $signed(terms[f_l*ACC_BITS +: PRODUCT_BITS]);
      f_products[f_l*F_BITS +: F_BITS] = f_product;
      f_tap    = $signed({1'b0, taps[f_l*IN_BITS +: IN_BITS]});
      f_weight = $signed(weights[f_l*WEIGHT_BITS +: WEIGHT_BITS]);
      f_exact[f_l*PRODUCT_BITS +: PRODUCT_BITS] = f_tap * f_weight;
      if (terms[f_l*ACC_BITS +: PRODUCT_BITS] != f_exact_q[f_l*PRODUCT_BITS +: PRODUCT_BITS])
        f_products_exact = 1'b0;
      if (f_product < F_SMALLEST || f_product > F_LARGEST) f_products_fit = 1'b0;
      if (taps[f_l*IN_BITS +: IN_BITS] > `INPUT_MAX) f_taps_fit = 1'b0;
    end
  end

  always @(posedge clk_i) if (multiply_en) f_exact_q <= f_exact;
  always @* if (f_running_q) begin
    if (window_valid) products_taps: assert (f_taps_fit);
    if (product_valid_q) products_range: assert (f_products_fit &&
        F_SMALLEST >= -(1 << (PRODUCT_BITS - 1)) && F_LARGEST < 1 << (PRODUCT_BITS - 1));
    if (product_valid_q) products_exact: assert (f_products_exact);
  end

  // No sum, maximum or value needs more bits than it has: a sum of n products lies between n times
  // the smallest product and n times the largest.
  wire signed [F_BITS-1:0] f_step_sum;
  wire signed [F_BITS-1:0] f_sum   = sum_q;
  wire signed [F_BITS-1:0] f_total = (product_first_q ? 0 : f_sum) + f_step_sum;
  wire signed [F_BITS-1:0] f_terms = f_steps_q * LANES;

  adder_tree #(
      .INPUTS(LANES),
      .BITS(F_BITS)
  ) f_tree (
      .terms_i(f_products),
      .sum_o(f_step_sum)
  );

  always @* if (f_running_q) begin
    if (product_valid_q) sums_fit: assert ($signed(sum_before + step_sum) == f_total);
    if (sum_valid_q || (product_valid_q ? !product_first_q : step != 0)) sums_bound: assert (
        f_sum >= f_terms * F_SMALLEST && f_sum <= f_terms * F_LARGEST);
    if (sum_valid_q) sums_maximum: assert (f_sum < (1 << MAX_BITS));
  end

  // A value is the largest sum of its plane, or 0, shifted: the sum of no position, of any f_position,
  // is larger, and one is just as large, that of f_best_q, unless none is positive.
  (* anyconst *) reg [F_PLACE_BITS-1:0] f_position;
  reg [F_PLACE_BITS-1:0]  f_product_place_q, f_sum_place_q, f_best_q;
  reg [F_PLACE_BITS-1:0]  f_compared_q;            // sums of this plane that are compared
  reg                     f_seen_q, f_positive_q;  // that of f_position is, a positive one is
  reg signed [F_BITS-1:0] f_seen_sum_q;

  wire [F_PLACE_BITS-1:0] f_centre  = row_q * MAP_COLUMNS + column_q;
  wire [F_PLACE_BITS-1:0] f_working = product_valid_q ? f_product_place_q : f_centre;
  wire f_open = f_compared_q != 0 || m_axis_tvalid;  // max_q counts

  always @* assume (f_position < F_POSITIONS);
  always @(posedge clk_i) begin
    if (multiply_en) f_product_place_q <= f_centre;
    if (advance && product_valid_q) f_sum_place_q <= f_product_place_q;
    if (!rst_ni) f_compared_q <= 0;
    else if (compare_en) f_compared_q <= sum_plane_last_q ? 0 : f_compared_q + 1;
    if (compare_en) begin
      f_seen_q     <= f_sum_place_q == f_position || (f_seen_q && !sum_plane_first_q);
      f_positive_q <= larger || (f_positive_q && !sum_plane_first_q);
      if (larger) f_best_q <= f_sum_place_q;
      if (f_sum_place_q == f_position) f_seen_sum_q <= sum_q;
    end
  end

  always @* if (f_running_q) begin
    pool_place: assert (f_compared_q == (sum_valid_q ? f_sum_place_q : f_working));
    if (product_valid_q) pool_product: assert (f_product_place_q < F_POSITIONS &&
        product_plane_first_q == (f_product_place_q == 0) &&
        product_plane_last_q == (f_product_place_q == F_POSITIONS - 1) &&
        f_centre == (!product_last_q ? f_product_place_q
                     : product_plane_last_q ? 0 : f_product_place_q + 1));
    if (sum_valid_q) pool_sum: assert (f_sum_place_q < F_POSITIONS &&
        sum_plane_first_q == (f_sum_place_q == 0) &&
        sum_plane_last_q == (f_sum_place_q == F_POSITIONS - 1) &&
        f_working == (sum_plane_last_q ? 0 : f_sum_place_q + 1));
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
