// Fully connected layer with one multiplier; the only layer with biases, and without shift or ReLU.
//
//   out[label] = bias[label] + sum over c of weight[label][c] * in[c]
//
// Numbers
//   in       unsigned, IN_BITS: activations follow a ReLU and are never negative
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   bias     two's complement, ACC_BITS
//   sum, out two's complement, ACC_BITS: every partial sum fits, so nothing wraps or saturates
//
// Order of the loops (input-stationary, like pointwise_conv)
//   for c in 0..INPUTS-1:                             a beat of s_axis
//     for label in 0..LABELS-1:                       a cycle
//       sum[label] = (c == 0 ? bias[label] : sum[label]) + weight[label][c] * in[c]
//   WEIGHT_FILE holds the weights in just this order. The sums turn in a ring.
// Cycles
//   LABELS multiplications an input, and one cycle to take the next one. A beat that is taken in cycle
//   0 is multiplied from cycle 1 on, added from cycle 2 on, and the first logit that it completes is
//   offered in cycle 3. A stalled output stops the multiplier only when the next logit is complete.
// Streams
//   s_axis  one input a beat, input 0 first; it comes from pointwise_conv, which counts its outputs
//   m_axis  one logit a beat, label 0 first, tlast on the last
//
// Example: INPUTS = 2, LABELS = 2, weight = {{3, -2}, {-1, 1}} as [label][input], bias = 10, 20
//   in = 5, 4: logits 10 + 15 - 8 = 17 and 20 - 5 + 4 = 19

`default_nettype none

module fc1 #(
    parameter INPUTS       = 16,
    parameter LABELS       = 4,
    parameter IN_BITS      = 18,
    parameter WEIGHT_BITS  = 6,
    parameter PRODUCT_BITS = 24,
    parameter ACC_BITS     = 33,
    parameter INPUT_BITS   = 4,                    // holds INPUTS - 1
    parameter LABEL_BITS   = 2,                    // holds LABELS - 1
    parameter ADDRESS_BITS = 6,                    // holds INPUTS * LABELS - 1
    parameter WEIGHT_FILE  = "fc1.mem",            // golden.mem, order "in out"
    parameter BIAS_FILE    = "fc1_bias.mem"        // golden.mem, a bias of ACC_BITS a word
) (
    input  wire                clk_i,
    input  wire                rst_ni,

    input  wire [IN_BITS-1:0]  s_axis_tdata,
    input  wire                s_axis_tvalid,
    output wire                s_axis_tready,

    output wire [ACC_BITS-1:0] m_axis_tdata,
    output wire                m_axis_tvalid,
    input  wire                m_axis_tready,
    output wire                m_axis_tlast
);

  localparam WORDS = INPUTS * LABELS;

  generate
    if (INPUTS < 1 || LABELS < 1) begin : g_illegal_size
      fc1_requires_INPUTS_and_LABELS_of_at_least_1 illegal ();
    end
    if (IN_BITS < 1 || WEIGHT_BITS < 2) begin : g_illegal_operand_bits
      fc1_requires_IN_BITS_of_at_least_1_and_WEIGHT_BITS_of_at_least_2 illegal ();
    end
    if (PRODUCT_BITS <= IN_BITS || PRODUCT_BITS < WEIGHT_BITS) begin : g_illegal_product_bits
      fc1_requires_PRODUCT_BITS_above_IN_BITS_and_of_at_least_WEIGHT_BITS illegal ();
    end
    if (ACC_BITS < PRODUCT_BITS) begin : g_illegal_acc_bits
      fc1_requires_ACC_BITS_of_at_least_PRODUCT_BITS illegal ();
    end
    if (INPUT_BITS < 1 || (INPUTS - 1) >> INPUT_BITS != 0) begin : g_illegal_input_bits
      fc1_requires_INPUT_BITS_to_hold_INPUTS_minus_1 illegal ();
    end
    if (LABEL_BITS < 1 || (LABELS - 1) >> LABEL_BITS != 0) begin : g_illegal_label_bits
      fc1_requires_LABEL_BITS_to_hold_LABELS_minus_1 illegal ();
    end
    if (ADDRESS_BITS < 1 || (WORDS - 1) >> ADDRESS_BITS != 0) begin : g_illegal_address_bits
      fc1_requires_ADDRESS_BITS_to_hold_every_weight illegal ();
    end
  endgenerate

  localparam [INPUT_BITS-1:0]   LAST_INPUT   = INPUTS[INPUT_BITS-1:0] - 1'b1;
  localparam [LABEL_BITS-1:0]   LAST_LABEL   = LABELS[LABEL_BITS-1:0] - 1'b1;
  localparam [ADDRESS_BITS-1:0] LAST_ADDRESS = WORDS[ADDRESS_BITS-1:0] - 1'b1;

  // ---- Input ----------------------------------------------------------------------------------------

  reg                  active_valid_q;
  reg [IN_BITS-1:0]    active_data_q;
  reg [INPUT_BITS-1:0] input_q;          // the input that is being multiplied, or comes next
  reg [LABEL_BITS-1:0] label_q;          // the label that is being multiplied

  wire multiply_en;
  wire take        = s_axis_tvalid & s_axis_tready;
  wire last_label  = label_q == LAST_LABEL;
  wire last_input  = input_q == LAST_INPUT;
  wire input_end   = multiply_en & last_label;

  assign s_axis_tready = ~active_valid_q;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      active_valid_q <= 1'b0;
      input_q        <= {INPUT_BITS{1'b0}};
      label_q        <= {LABEL_BITS{1'b0}};
    end else begin
      active_valid_q <= take | (active_valid_q & ~input_end);
      if (multiply_en) label_q <= last_label ? {LABEL_BITS{1'b0}} : label_q + 1'b1;
      if (input_end) input_q <= last_input ? {INPUT_BITS{1'b0}} : input_q + 1'b1;
    end
    if (take) active_data_q <= s_axis_tdata;
  end

  // ---- Weight: read ahead, so that weight_q always belongs to the multiplication to come ----------------

  reg signed [WEIGHT_BITS-1:0]  weights [0:WORDS-1];
  reg signed [ACC_BITS-1:0]     biases [0:LABELS-1];
  reg signed [WEIGHT_BITS-1:0]  weight_q;
  reg        [ADDRESS_BITS-1:0] address_q;

  wire restart = ~rst_ni | (multiply_en & (address_q == LAST_ADDRESS));
  wire [ADDRESS_BITS-1:0] address_d =
      restart ? {ADDRESS_BITS{1'b0}} : multiply_en ? address_q + 1'b1 : address_q;

`ifndef FORMAL  // the proofs are for any weights
  initial $readmemh(WEIGHT_FILE, weights);
  initial $readmemh(BIAS_FILE, biases);
`endif

  always @(posedge clk_i) begin
    address_q <= address_d;
    weight_q  <= weights[address_d];
  end

  // ---- Multiply: both operands extended to the product's width -------------------------------------------

  reg                            product_valid_q;
  reg                            product_first_q;  // it is the first product of its sum
  reg                            product_final_q;  // it is the last product of its sum
  reg                            product_last_q;   // and its sum is the last of the frame
  reg  signed [PRODUCT_BITS-1:0] product_q;
  reg  signed [ACC_BITS-1:0]     bias_q;

  wire signed [PRODUCT_BITS-1:0] activation = {{(PRODUCT_BITS - IN_BITS){1'b0}}, active_data_q};
  wire signed [PRODUCT_BITS-1:0] weight =
      {{(PRODUCT_BITS - WEIGHT_BITS + 1){weight_q[WEIGHT_BITS-1]}}, weight_q[WEIGHT_BITS-2:0]};

  // Everything halts together, and only when a finished sum finds the output register occupied.
  wire advance = ~(product_valid_q & product_final_q & m_axis_tvalid & ~m_axis_tready);
  assign multiply_en = active_valid_q & advance;

  always @(posedge clk_i) begin
    if (!rst_ni) product_valid_q <= 1'b0;
    else if (advance) product_valid_q <= active_valid_q;
    if (multiply_en) begin
      product_q       <= activation * weight;
      bias_q          <= biases[label_q];
      product_first_q <= input_q == {INPUT_BITS{1'b0}};
      product_final_q <= last_input;
      product_last_q  <= last_label;
    end
  end

  // ---- Accumulate: the ring of sums, lowest the one that is next -------------------------------------------

  reg  [LABELS*ACC_BITS-1:0] ring_q;

  wire accumulate_en = product_valid_q & advance;
  wire signed [ACC_BITS-1:0] oldest = product_first_q ? bias_q : ring_q[ACC_BITS-1:0];
  wire signed [ACC_BITS-1:0] addend =
      {{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}, product_q[PRODUCT_BITS-2:0]};
  wire signed [ACC_BITS-1:0] sum = oldest + addend;

  generate
    if (LABELS == 1) begin : g_one_sum
      always @(posedge clk_i) if (accumulate_en) ring_q <= sum;
    end else begin : g_ring
      always @(posedge clk_i)
        if (accumulate_en) ring_q <= {sum, ring_q[LABELS*ACC_BITS-1:ACC_BITS]};
    end
  endgenerate

  // ---- Output ------------------------------------------------------------------------------------------------

  reg                out_valid_q;
  reg                out_last_q;
  reg [ACC_BITS-1:0] out_data_q;

  wire emit = accumulate_en & product_final_q;

  assign m_axis_tvalid = out_valid_q;
  assign m_axis_tlast  = out_last_q;
  assign m_axis_tdata  = out_data_q;

  always @(posedge clk_i) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else out_valid_q <= emit | (out_valid_q & ~m_axis_tready);
    if (emit) begin
      out_data_q <= sum;
      out_last_q <= product_last_q;
    end
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, biases from -BIAS_MAX - 1 to BIAS_MAX, inputs up to INPUT_MAX, gaps, stalls, resets,
  // and any f_label.

  localparam F_BITS = ACC_BITS + 4;  // no sum below wraps
  localparam signed [F_BITS-1:0] F_LARGEST  = ((1 << (WEIGHT_BITS - 1)) - 1) * `INPUT_MAX;
  localparam signed [F_BITS-1:0] F_SMALLEST = -(1 << (WEIGHT_BITS - 1)) * `INPUT_MAX;
  localparam signed [F_BITS-1:0] F_BIAS_MAX = `BIAS_MAX;
  localparam signed [F_BITS-1:0] F_BIAS_MIN = -F_BIAS_MAX - 1;

  (* anyconst *) reg [LABEL_BITS-1:0] f_label;
  reg f_running_q = 1'b0;  // a reset lies behind
  wire signed [ACC_BITS-1:0] f_next_bias = biases[label_q];

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
  always @* assume (s_axis_tdata <= `INPUT_MAX && f_label <= LAST_LABEL);
  always @* assume (f_next_bias >= F_BIAS_MIN && f_next_bias <= F_BIAS_MAX);

  always @(posedge clk_i) if (f_running_q) begin
    // A logit that is offered stays, unchanged, until it is accepted.
    if ($past(rst_ni && m_axis_tvalid && !m_axis_tready)) streams_hold: assert (
        m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tlast));
    // A beat that is taken is multiplied, unchanged, until the last label is.
    if ($past(rst_ni && take))
      streams_take: assert (active_valid_q && active_data_q == $past(s_axis_tdata));
    if ($past(rst_ni && active_valid_q && !input_end))
      streams_active: assert (active_valid_q && $stable(active_data_q));
  end

  // Every flag, counter and address agrees with the input and the label that its stage works on.
  reg [INPUT_BITS-1:0] f_product_input_q;
  reg [LABEL_BITS-1:0] f_product_label_q;
  reg [INPUT_BITS:0]   f_terms_q;  // products in the ring's sum of f_label, 0 without one

  wire f_adds = product_valid_q && f_product_label_q == f_label;
  wire [INPUT_BITS-1:0] f_next =   // the input of the next product of f_label
      f_adds ? f_product_input_q : label_q <= f_label ? input_q : last_input ? 0 : input_q + 1;

  always @(posedge clk_i) begin
    if (multiply_en) f_product_input_q <= input_q;
    if (multiply_en) f_product_label_q <= label_q;
    if (!rst_ni) f_terms_q <= 0;
    else if (accumulate_en && f_adds)
      f_terms_q <= product_final_q ? 0 : product_first_q ? 1 : f_terms_q + 1'b1;
  end

  always @* if (f_running_q) begin
    control_range: assert (input_q <= LAST_INPUT && label_q <= LAST_LABEL);
    control_address: assert (address_q == input_q * LABELS + label_q);
    control_idle: assert (active_valid_q || label_q == 0);
    if (product_valid_q) control_product: assert (
        f_product_label_q <= LAST_LABEL && f_product_input_q <= LAST_INPUT &&
        product_first_q == (f_product_input_q == 0) &&
        product_final_q == (f_product_input_q == LAST_INPUT) &&
        product_last_q == (f_product_label_q == LAST_LABEL) &&
        label_q == (product_last_q ? 0 : f_product_label_q + 1) &&
        input_q == (!product_last_q ? f_product_input_q : product_final_q ? 0
                                    : f_product_input_q + 1));
    control_terms: assert (f_next == 0 || f_terms_q == f_next);
  end

  // The logits of a frame leave in order, none missing or twice, tlast on the last.
  reg [LABEL_BITS-1:0] f_left_q;  // the logits of this frame that were accepted
  reg [LABEL_BITS-1:0] f_out_label_q;
  wire [LABEL_BITS-1:0] f_left = f_left_q == LAST_LABEL ? 0 : f_left_q + 1;

  always @(posedge clk_i) begin
    if (emit) f_out_label_q <= f_product_label_q;
    if (!rst_ni) f_left_q <= 0;
    else if (m_axis_tvalid && m_axis_tready) f_left_q <= f_left;
  end

  always @* if (f_running_q) begin
    frames_next: assert (f_left_q <= LAST_LABEL && (m_axis_tvalid ? f_left : f_left_q) ==
        (product_valid_q && product_final_q ? f_product_label_q : last_input ? label_q : 0));
    if (m_axis_tvalid) frames_order: assert (
        f_out_label_q == f_left_q && m_axis_tlast == (f_left_q == LAST_LABEL));
  end

  // No product and no sum needs more bits than it has: a bias and n products lie between the smallest
  // bias and n times the smallest product, and the largest bias and n times the largest.
  wire [LABEL_BITS-1:0] f_bottom = product_valid_q ? f_product_label_q : label_q;
  wire [LABEL_BITS:0]   f_slot   = f_label - f_bottom + (f_label < f_bottom ? LABELS : 0);
  reg  signed [ACC_BITS-1:0] f_kept;  // what the ring holds for f_label
  integer f_i;

  always @* begin
    f_kept = 0;
    for (f_i = 0; f_i < LABELS; f_i = f_i + 1)
      if (f_slot == f_i) f_kept = ring_q[f_i*ACC_BITS +: ACC_BITS];
  end

  wire signed [F_BITS-1:0] f_terms   = f_terms_q;
  wire signed [F_BITS-1:0] f_product = product_q;
  wire signed [F_BITS-1:0] f_before  = product_first_q ? bias_q : f_kept;
  wire signed [F_BITS-1:0] f_sum     = f_before + f_product;

  always @* if (f_running_q) begin
    if (active_valid_q) sums_input: assert (active_data_q <= `INPUT_MAX);
    if (product_valid_q) sums_bias: assert (bias_q >= F_BIAS_MIN && bias_q <= F_BIAS_MAX);
    if (product_valid_q)
      sums_product: assert (f_product >= F_SMALLEST && f_product <= F_LARGEST);
    if (f_terms_q != 0) sums_bound: assert (
        f_kept >= F_BIAS_MIN + f_terms * F_SMALLEST && f_kept <= F_BIAS_MAX + f_terms * F_LARGEST);
    if (f_adds) sums_fit: assert (sum == f_sum);
  end

  // A logit is its label's bias and the exact products, each of the active input and the weight of
  // that input and label.
  reg signed [F_BITS-1:0] f_product_q;
  reg signed [F_BITS-1:0] f_total_q;
  wire signed [F_BITS-1:0] f_total = (product_first_q ? biases[f_label] : f_total_q) + f_product_q;
  reg signed [F_BITS-1:0] f_expected_q;

  always @(posedge clk_i) begin
    if (multiply_en) f_product_q <= $signed({1'b0, active_data_q}) * weight_q;
    if (accumulate_en && f_adds) f_total_q <= f_total;
    if (emit) f_expected_q <= f_total;
  end

  always @* if (f_running_q) begin
    outputs_weight: assert (weight_q == weights[address_q]);
    if (product_valid_q) outputs_product: assert (product_q == f_product_q);
    if (f_adds && product_first_q) outputs_bias: assert (bias_q == biases[f_label]);
    if (f_terms_q != 0) outputs_sum: assert (f_kept == f_total_q);
    if (m_axis_tvalid && f_out_label_q == f_label)
      outputs_value: assert ($signed(m_axis_tdata) == f_expected_q);
  end
`endif

endmodule

`default_nettype wire
