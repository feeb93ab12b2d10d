// First convolution: LANES multipliers work off one window of the fingerprint after another, then
// floor shift and ReLU.
//
//   out[channel][position] = max(0, floor(sum over taps of weight[channel][tap] * in[tap] / 2**SHIFT))
//
// Numbers
//   in       two's complement, IN_BITS
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   sum      two's complement, ACC_BITS: the sum after each tap fits, in their order, so nothing
//            saturates; sums of other taps, inside adder_tree, may wrap around, which does no harm
//   out      unsigned, OUT_BITS: the largest shifted sum fits, so nothing is clipped
// Rounding
//   Towards minus infinity: dropping the SHIFT lowest bits of a two's-complement number is the floor.
//
// Order
//   A beat of s_axis is a step: LANES taps of a window, lane 0 lowest. STEPS steps make a window,
//   POSITIONS windows a plane, CHANNELS planes a frame; the same windows come again for each channel.
//   A window that comes with tuser (flush) stands for no position: it takes its steps, uses whatever
//   weights, and leaves with tuser; what m_axis_tdata is then has no meaning.
// Cycles
//   A step a cycle, a value every STEPS cycles. The last step of a window is taken in cycle 0,
//   multiplied (product_q in cycle 1), added (sum_q in cycle 2), and offered in cycle 3.
//   A stalled output holds the whole pipeline.
//
// Example: LANES = 2, STEPS = 2, SHIFT = 1, weights of channel 0: 3 -1 2 -4
//   taps 5 2 | 1 3: sum 15 - 2 + 2 - 12 = 3, out floor(3 / 2) = 1

`default_nettype none

module conv_1 #(
    parameter LANES         = 16,
    parameter STEPS         = 1,
    parameter POSITIONS     = 56,
    parameter CHANNELS      = 48,
    parameter IN_BITS       = 6,
    parameter WEIGHT_BITS   = 6,
    parameter PRODUCT_BITS  = 12,
    parameter ACC_BITS      = 16,
    parameter OUT_BITS      = 12,
    parameter SHIFT         = 3,
    parameter STEP_BITS     = 1,                   // holds STEPS - 1
    parameter POSITION_BITS = 6,                   // holds POSITIONS - 1
    parameter ADDRESS_BITS  = 6,                   // holds CHANNELS * STEPS - 1
    parameter WEIGHT_FILE   = "conv_1.mem"         // golden.mem, LANES weights a word
) (
    input  wire                     clk_i,
    input  wire                     rst_ni,

    input  wire [LANES*IN_BITS-1:0] s_axis_tdata,
    input  wire                     s_axis_tvalid,
    output wire                     s_axis_tready,
    input  wire                     s_axis_tuser,

    output wire [OUT_BITS-1:0]      m_axis_tdata,
    output wire                     m_axis_tvalid,
    input  wire                     m_axis_tready,
    output wire                     m_axis_tuser
);

  generate
    if (POSITIONS < 1) begin : g_illegal_positions
      conv_1_requires_POSITIONS_of_at_least_1 illegal ();
    end
    if (IN_BITS < 2 || WEIGHT_BITS < 2) begin : g_illegal_operand_bits
      conv_1_requires_IN_BITS_and_WEIGHT_BITS_of_at_least_2 illegal ();
    end
    if (SHIFT < 0) begin : g_illegal_shift
      conv_1_requires_SHIFT_of_at_least_0 illegal ();
    end
    if (PRODUCT_BITS < IN_BITS || PRODUCT_BITS < WEIGHT_BITS) begin : g_illegal_product_bits
      conv_1_requires_PRODUCT_BITS_of_at_least_IN_BITS_and_WEIGHT_BITS illegal ();
    end
    if (ACC_BITS < PRODUCT_BITS) begin : g_illegal_acc_bits_product
      conv_1_requires_ACC_BITS_of_at_least_PRODUCT_BITS illegal ();
    end
    if (OUT_BITS < 1 || ACC_BITS < SHIFT + OUT_BITS) begin : g_illegal_acc_bits_out
      conv_1_requires_ACC_BITS_of_at_least_SHIFT_plus_OUT_BITS illegal ();
    end
    if (POSITION_BITS < 1 || (POSITIONS - 1) >> POSITION_BITS != 0) begin : g_illegal_position_bits
      conv_1_requires_POSITION_BITS_to_hold_POSITIONS_minus_1 illegal ();
    end
  endgenerate

  localparam [POSITION_BITS-1:0] LAST_POSITION = POSITIONS[POSITION_BITS-1:0] - 1'b1;

  // ---- Weights and the place in the walk --------------------------------------------------------------

  wire                         advance = ~m_axis_tvalid | m_axis_tready;
  wire                         take = s_axis_tvalid & advance;
  wire [LANES*WEIGHT_BITS-1:0] weights;
  wire                         first_step;
  wire                         last_step;
  reg  [POSITION_BITS-1:0]     position_q;
  wire                         last_position = position_q == LAST_POSITION;

  assign s_axis_tready = advance;

`ifdef FORMAL
  wire [STEP_BITS-1:0] f_step;   // the step to come
`endif

  // A flushing window must leave the weights of the plane to come in place: it counts as one of its
  // windows, but never as the last.
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
      .step_en_i(take),
      .plane_end_i(last_position & ~s_axis_tuser),
      .weights_o(weights),
      .first_step_o(first_step),
      .last_step_o(last_step),
`ifdef FORMAL
      .step_o(f_step),
`endif
      /* verilator lint_off PINCONNECTEMPTY */  // lanes are wired to taps; values leave without tlast
`ifndef FORMAL
      .step_o(),
`endif
      .last_channel_o()
      /* verilator lint_on PINCONNECTEMPTY */
  );

  always @(posedge clk_i) begin
    if (!rst_ni) position_q <= {POSITION_BITS{1'b0}};
    else if (take & last_step & ~s_axis_tuser)
      position_q <= last_position ? {POSITION_BITS{1'b0}} : position_q + 1'b1;
  end

  // ---- Multiply: both operands extended to the product's width ----------------------------------------

  reg                            product_valid_q;
  reg                            product_first_q;   // they are the first of their window
  reg                            product_last_q;
  reg                            product_flush_q;
  wire [LANES*ACC_BITS-1:0]      terms;

  always @(posedge clk_i) begin
    if (!rst_ni) product_valid_q <= 1'b0;
    else if (advance) product_valid_q <= s_axis_tvalid;
    if (take) begin
      product_first_q <= first_step;
      product_last_q  <= last_step;
      product_flush_q <= s_axis_tuser;
    end
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      wire        [IN_BITS-1:0]      in     = s_axis_tdata[l*IN_BITS +: IN_BITS];
      wire        [WEIGHT_BITS-1:0]  factor = weights[l*WEIGHT_BITS +: WEIGHT_BITS];
      wire signed [PRODUCT_BITS-1:0] tap    =
          {{(PRODUCT_BITS - IN_BITS + 1){in[IN_BITS-1]}}, in[IN_BITS-2:0]};
      wire signed [PRODUCT_BITS-1:0] weight =
          {{(PRODUCT_BITS - WEIGHT_BITS + 1){factor[WEIGHT_BITS-1]}}, factor[WEIGHT_BITS-2:0]};
      reg  signed [PRODUCT_BITS-1:0] product_q;

      always @(posedge clk_i) if (take) product_q <= tap * weight;

      assign terms[l*ACC_BITS +: ACC_BITS] =
          {{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}, product_q[PRODUCT_BITS-2:0]};
    end
  endgenerate

  // ---- Accumulate ---------------------------------------------------------------------------------------

  reg                        sum_valid_q;   // sum_q is the sum of a whole window
  reg                        sum_flush_q;
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
      sum_q       <= sum_before + step_sum;
      sum_flush_q <= product_flush_q;
    end
  end

  // ---- Output: floor shift and ReLU into a register ------------------------------------------------------

  reg                out_valid_q;
  reg                out_flush_q;
  reg [OUT_BITS-1:0] out_data_q;

  wire negative = sum_q[ACC_BITS-1];

  assign m_axis_tvalid = out_valid_q;
  assign m_axis_tdata  = out_data_q;
  assign m_axis_tuser  = out_flush_q;

  always @(posedge clk_i) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else if (advance) out_valid_q <= sum_valid_q;
    if (advance & sum_valid_q) begin
      out_data_q  <= negative ? {OUT_BITS{1'b0}} : sum_q[SHIFT+OUT_BITS-1:SHIFT];
      out_flush_q <= sum_flush_q;
    end
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, inputs, gaps, stalls and resets.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
`ifdef LARGEST_PRODUCTS
  localparam [IN_BITS-1:0]     F_INPUT  = 1 << (IN_BITS - 1);
  localparam [WEIGHT_BITS-1:0] F_WEIGHT = 1 << (WEIGHT_BITS - 1);
  always @* assume (s_axis_tvalid && m_axis_tready && rst_ni == f_running_q);
  always @* assume (s_axis_tdata == {LANES{F_INPUT}});
  always @* assume (!f_running_q || weights == {LANES{F_WEIGHT}});
`endif

  // A value that is offered stays, unchanged, until it is accepted.
  always @(posedge clk_i)
    if (f_running_q && $past(rst_ni && m_axis_tvalid && !m_axis_tready)) streams_hold: assert (
        m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tuser));

  // Every window gives one value, in order, with the tuser of its last step, as the window f_window
  // shows; both are counted modulo 4, because at most three are on their way.
  (* anyconst *) reg [1:0] f_window;
  reg [1:0] f_windows_q, f_values_q;  // windows that are taken, values that are accepted
  reg       f_flush_q;                // tuser of f_window

  wire       f_product_last = product_valid_q && product_last_q;
  wire [1:0] f_sum_window   = f_values_q + m_axis_tvalid;
  wire [1:0] f_last_window  = f_sum_window + sum_valid_q;

  always @(posedge clk_i) begin
    f_windows_q <= !rst_ni ? 0 : f_windows_q + (take && last_step);
    f_values_q  <= !rst_ni ? 0 : f_values_q + (m_axis_tvalid && m_axis_tready);
    if (take && last_step && f_windows_q == f_window) f_flush_q <= s_axis_tuser;
  end

  always @* if (f_running_q) begin
    streams_count: assert (f_windows_q == f_last_window + f_product_last);
    if (f_product_last && f_last_window == f_window)
      streams_product: assert (product_flush_q == f_flush_q);
    if (sum_valid_q && f_sum_window == f_window) streams_sum: assert (sum_flush_q == f_flush_q);
    if (m_axis_tvalid && f_values_q == f_window)
      streams_user: assert (m_axis_tuser == f_flush_q);
  end

  // Every flag agrees with the step that its stage works on.
  localparam [STEP_BITS:0] F_LAST_STEP = STEPS - 1;
  reg [STEP_BITS-1:0] f_product_step_q;
  reg [STEP_BITS:0]   f_steps_q;  // steps in the sum

  wire f_add = advance && product_valid_q;

  always @(posedge clk_i) begin
    if (take) f_product_step_q <= f_step;
    if (f_add) f_steps_q <= product_first_q ? 1 : f_steps_q + 1;
  end

  always @* if (f_running_q) begin
    control_range: assert (f_step <= F_LAST_STEP && position_q <= LAST_POSITION);
    if (product_valid_q) control_product: assert (
        product_first_q == (f_product_step_q == 0) &&
        product_last_q == (f_product_step_q == F_LAST_STEP) &&
        f_step == (product_last_q ? 0 : f_product_step_q + 1));
    control_steps: assert (product_valid_q ? f_product_step_q == 0 || f_product_step_q == f_steps_q
                                           : f_step == 0 || f_step == f_steps_q);
    if (sum_valid_q) control_sum: assert (f_steps_q == STEPS);
  end

  // Every product is exact and lies between the smallest and the largest of its operands' ranges.
  localparam F_BITS = ACC_BITS + STEP_BITS + 2;  // no sum below wraps
  localparam signed [F_BITS-1:0] F_SMALLEST = -(1 << (WEIGHT_BITS + IN_BITS - 2)) +
      (WEIGHT_BITS < IN_BITS ? 1 << (WEIGHT_BITS - 1) : 1 << (IN_BITS - 1));
  localparam signed [F_BITS-1:0] F_LARGEST  = 1 << (WEIGHT_BITS + IN_BITS - 2);
  reg [LANES*F_BITS-1:0]  f_products;
  reg                     f_products_fit, f_products_exact;
  reg signed [F_BITS-1:0] f_product;
  reg signed [PRODUCT_BITS-1:0] f_tap, f_weight;
  reg [LANES*PRODUCT_BITS-1:0]  f_exact, f_exact_q;  // as wide as F_SMALLEST and F_LARGEST need
  integer f_l;

  always @* begin
    f_products_fit   = 1'b1;
    f_products_exact = 1'b1;
    for (f_l = 0; f_l < LANES; f_l = f_l + 1) begin
      f_product = $signed(terms[f_l*ACC_BITS +: PRODUCT_BITS]);
      f_products[f_l*F_BITS +: F_BITS] = f_product;
      f_tap    = $signed(s_axis_tdata[f_l*IN_BITS +: IN_BITS]);
      f_weight = $signed(weights[f_l*WEIGHT_BITS +: WEIGHT_BITS]);
      f_exact[f_l*PRODUCT_BITS +: PRODUCT_BITS] = f_tap * f_weight;
      if (terms[f_l*ACC_BITS +: PRODUCT_BITS] != f_exact_q[f_l*PRODUCT_BITS +: PRODUCT_BITS])
        f_products_exact = 1'b0;
      if (f_product < F_SMALLEST || f_product > F_LARGEST) f_products_fit = 1'b0;
    end
  end

  always @(posedge clk_i) if (take) f_exact_q <= f_exact;
  always @* if (f_running_q && product_valid_q) begin
    products_range: assert (f_products_fit &&
        F_SMALLEST >= -(1 << (PRODUCT_BITS - 1)) && F_LARGEST < 1 << (PRODUCT_BITS - 1));
    products_exact: assert (f_products_exact);
  end

  // No sum and no value needs more bits than it has: a sum of n products lies between n times the
  // smallest product and n times the largest.
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
    if (sum_valid_q || (product_valid_q ? !product_first_q : f_step != 0)) sums_bound: assert (
        f_sum >= f_terms * F_SMALLEST && f_sum <= f_terms * F_LARGEST);
    if (sum_valid_q) sums_output: assert ((f_sum >>> SHIFT) < (1 << OUT_BITS));
  end

  // A value is max(0, floor(sum / 2**SHIFT)).
  reg signed [F_BITS-1:0] f_expected_q;

  always @(posedge clk_i) if (advance) f_expected_q <= f_sum < 0 ? 0 : f_sum >>> SHIFT;
  always @* if (f_running_q && m_axis_tvalid) outputs_value: assert (m_axis_tdata == f_expected_q);
`endif

endmodule

`default_nettype wire
