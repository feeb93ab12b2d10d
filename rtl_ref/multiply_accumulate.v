// Multiply-accumulate stage of a layer that works channel by channel: LANES multipliers take a window
// step by step, an adder tree adds their products, a register the sums of the steps.
//
//   sum = sum over the LANES * STEPS taps of a window of weight[channel][tap] * tap
//
// Numbers
//   tap      two's complement, TAP_BITS; one that is never negative comes with a sign bit of 0
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   sum      two's complement, ACC_BITS: the sum after each tap fits, in their order, so nothing
//            saturates; sums of other taps, inside adder_tree, may wrap around, which does no harm
//
// Order
//   A step is LANES taps, lane 0 lowest, and STEPS steps make a window. kernel_weights brings the
//   weights: the same for every window of a plane, then those of the next channel. The marks of a
//   window's last step leave with its sum; what they mean is the layer's affair.
// Cycles
//   A step that is taken in cycle 0 (step_valid_i and advance_i) is multiplied (product_q in cycle 1)
//   and added (sum_q in cycle 2). sum_valid_o tells that sum_o is the sum of a whole window. While
//   advance_i is low nothing moves.
//
// Example: LANES = 2, STEPS = 2, weights of channel 0: 3 -1 2 -4
//   taps 5 2 | 1 3: sum 15 - 2 + 2 - 12 = 3

`default_nettype none

module multiply_accumulate #(
    parameter LANES        = 16,
    parameter STEPS        = 1,
    parameter CHANNELS     = 48,
    parameter TAP_BITS     = 6,
    parameter WEIGHT_BITS  = 6,
    parameter PRODUCT_BITS = 12,
    parameter ACC_BITS     = 16,
    parameter MARK_BITS    = 1,
    parameter STEP_BITS    = 1,                    // holds STEPS - 1
    parameter ADDRESS_BITS = 6,                    // holds CHANNELS * STEPS - 1
    parameter WEIGHT_FILE  = ""                    // golden.exports.mem, LANES weights a word
) (
    input  wire                       clk_i,
    input  wire                       rst_ni,

    input  wire                       advance_i,
    input  wire                       step_valid_i,
    input  wire [LANES*TAP_BITS-1:0]  taps_i,
    input  wire [MARK_BITS-1:0]       marks_i,
    input  wire                       plane_end_i,     // the window is the last of its plane
    output wire [STEP_BITS-1:0]       step_o,          // which step of its window is to come
    output wire                       last_step_o,
    output wire                       last_channel_o,  // with last_step_o: no channel follows

`ifdef FORMAL
    output wire                       product_valid_o, // the stage between, for the layer's proofs
    output wire                       product_last_o,
    output wire [MARK_BITS-1:0]       product_marks_o,
`endif
    output wire                       sum_valid_o,
    output wire signed [ACC_BITS-1:0] sum_o,
    output wire [MARK_BITS-1:0]       marks_o
);

  generate
    if (TAP_BITS < 2 || WEIGHT_BITS < 2) begin : g_illegal_operand_bits
      multiply_accumulate_requires_TAP_BITS_and_WEIGHT_BITS_of_at_least_2 illegal ();
    end
    if (PRODUCT_BITS < TAP_BITS || PRODUCT_BITS < WEIGHT_BITS) begin : g_illegal_product_bits
      multiply_accumulate_requires_PRODUCT_BITS_of_at_least_TAP_BITS_and_WEIGHT_BITS illegal ();
    end
    if (ACC_BITS < PRODUCT_BITS) begin : g_illegal_acc_bits
      multiply_accumulate_requires_ACC_BITS_of_at_least_PRODUCT_BITS illegal ();
    end
    if (MARK_BITS < 1) begin : g_illegal_mark_bits
      multiply_accumulate_requires_MARK_BITS_of_at_least_1 illegal ();
    end
  endgenerate

  // ---- Weights ----------------------------------------------------------------------------------------

  wire                         take = step_valid_i & advance_i;
  wire [LANES*WEIGHT_BITS-1:0] weights;
  wire                         first_step;

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
      .plane_end_i(plane_end_i),
      .weights_o(weights),
      .step_o(step_o),
      .first_step_o(first_step),
      .last_step_o(last_step_o),
      .last_channel_o(last_channel_o)
  );

  // ---- Multiply: both operands extended to the product's width ----------------------------------------

  reg                            product_valid_q;
  reg                            product_first_q;   // they are the first of their window
  reg                            product_last_q;
  reg  [MARK_BITS-1:0]           product_marks_q;
  wire [LANES*ACC_BITS-1:0]      terms;

  always @(posedge clk_i) begin
    if (!rst_ni) product_valid_q <= 1'b0;
    else if (advance_i) product_valid_q <= step_valid_i;
    if (take) begin
      product_first_q <= first_step;
      product_last_q  <= last_step_o;
      product_marks_q <= marks_i;
    end
  end

  genvar l;
  generate
    for (l = 0; l < LANES; l = l + 1) begin : g_lane
      wire        [TAP_BITS-1:0]     in     = taps_i[l*TAP_BITS +: TAP_BITS];
      wire        [WEIGHT_BITS-1:0]  factor = weights[l*WEIGHT_BITS +: WEIGHT_BITS];
      wire signed [PRODUCT_BITS-1:0] tap    =
          {{(PRODUCT_BITS - TAP_BITS + 1){in[TAP_BITS-1]}}, in[TAP_BITS-2:0]};
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
  reg  [MARK_BITS-1:0]       sum_marks_q;
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
    else if (advance_i) sum_valid_q <= product_valid_q & product_last_q;
    if (advance_i & product_valid_q) begin
      sum_q       <= sum_before + step_sum;
      sum_marks_q <= product_marks_q;
    end
  end

  assign sum_valid_o = sum_valid_q;
  assign sum_o       = sum_q;
  assign marks_o     = sum_marks_q;

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names, inside each
  // layer that has this stage, so for the taps that the layer brings: for any weights, gaps, stalls
  // and resets.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;

  assign product_valid_o = product_valid_q;
  assign product_last_o  = product_last_q;
  assign product_marks_o = product_marks_q;

`ifdef INPUT_MAX
  localparam F_TAP_MIN = 0;
  localparam F_TAP_MAX = `INPUT_MAX;
`else
  localparam F_TAP_MIN = -(1 << (TAP_BITS - 1));
  localparam F_TAP_MAX = (1 << (TAP_BITS - 1)) - 1;
`endif
  localparam F_WEIGHT_MIN = -(1 << (WEIGHT_BITS - 1));
  localparam F_WEIGHT_MAX = (1 << (WEIGHT_BITS - 1)) - 1;
`ifdef LARGEST_PRODUCTS
  localparam [WEIGHT_BITS-1:0] F_WEIGHT = F_WEIGHT_MIN;
  always @* assume (!f_running_q || weights == {LANES{F_WEIGHT}});
`endif

  // Every flag agrees with the step that its stage works on.
  localparam [STEP_BITS:0] F_LAST_STEP = STEPS - 1;
  reg [STEP_BITS-1:0] f_product_step_q;
  reg [STEP_BITS:0]   f_steps_q;  // steps in the sum

  always @(posedge clk_i) begin
    if (take) f_product_step_q <= step_o;
    if (advance_i && product_valid_q) f_steps_q <= product_first_q ? 1 : f_steps_q + 1;
  end

  always @* if (f_running_q) begin
    control_range: assert (step_o <= F_LAST_STEP);
    if (product_valid_q) control_product: assert (
        product_first_q == (f_product_step_q == 0) &&
        product_last_q == (f_product_step_q == F_LAST_STEP) &&
        step_o == (product_last_q ? 0 : f_product_step_q + 1));
    control_steps: assert (product_valid_q ? f_product_step_q == 0 || f_product_step_q == f_steps_q
                                           : step_o == 0 || step_o == f_steps_q);
    if (sum_valid_q) control_sum: assert (f_steps_q == STEPS);
  end

  // Every product is exact and lies between the smallest and the largest of its operands' ranges.
  localparam F_BITS = ACC_BITS + STEP_BITS + 2;  // no sum below wraps
  localparam signed [F_BITS-1:0] F_SMALLEST =
      F_WEIGHT_MIN * F_TAP_MAX < F_WEIGHT_MAX * F_TAP_MIN ? F_WEIGHT_MIN * F_TAP_MAX
                                                          : F_WEIGHT_MAX * F_TAP_MIN;
  localparam signed [F_BITS-1:0] F_LARGEST =
      F_WEIGHT_MIN * F_TAP_MIN > F_WEIGHT_MAX * F_TAP_MAX ? F_WEIGHT_MIN * F_TAP_MIN
                                                          : F_WEIGHT_MAX * F_TAP_MAX;
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
      f_tap    = $signed(taps_i[f_l*TAP_BITS +: TAP_BITS]);
      f_weight = $signed(weights[f_l*WEIGHT_BITS +: WEIGHT_BITS]);
      f_exact[f_l*PRODUCT_BITS +: PRODUCT_BITS] = f_tap * f_weight;
      if (terms[f_l*ACC_BITS +: PRODUCT_BITS] != f_exact_q[f_l*PRODUCT_BITS +: PRODUCT_BITS])
        f_products_exact = 1'b0;
      if (f_product < F_SMALLEST || f_product > F_LARGEST) f_products_fit = 1'b0;
      if (f_tap < F_TAP_MIN || f_tap > F_TAP_MAX) f_taps_fit = 1'b0;
    end
  end

  always @(posedge clk_i) if (take) f_exact_q <= f_exact;
  always @* if (f_running_q) begin
    if (step_valid_i) products_taps: assert (f_taps_fit);
    if (product_valid_q) products_range: assert (f_products_fit &&
        F_SMALLEST >= -(1 << (PRODUCT_BITS - 1)) && F_LARGEST < 1 << (PRODUCT_BITS - 1));
    if (product_valid_q) products_exact: assert (f_products_exact);
  end

  // No sum needs more bits than it has: a sum of n products lies between n times the smallest product
  // and n times the largest.
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
    if (sum_valid_q || (product_valid_q ? !product_first_q : step_o != 0)) sums_bound: assert (
        f_sum >= f_terms * F_SMALLEST && f_sum <= f_terms * F_LARGEST);
  end
`endif

endmodule

`default_nettype wire
