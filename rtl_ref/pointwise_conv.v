// Pointwise (1x1) convolution of one pixel with one multiplier: with floor shift and ReLU, or with
// biases and neither, which makes it a fully connected layer.
//
//   RELU = 1   out[o] = max(0, floor(sum[o] / 2**SHIFT))     sum[o] = start[o] + sum over c of
//   RELU = 0   out[o] = floor(sum[o] / 2**SHIFT)                      weight[o][c] * in[c]
//
// Numbers
//   in       unsigned, IN_BITS: activations follow a ReLU and are never negative
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   start    BIASES = 1: a bias, two's complement, ACC_BITS; BIASES = 0: 0
//   sum      two's complement, ACC_BITS: every partial sum fits, so nothing wraps or saturates
//   out      OUT_BITS: the shifted sum fits, so nothing is clipped; unsigned with RELU, otherwise two's
//            complement
// dataflow/hardware/rtl_parameters.py derives every parameter from a network. The defaults hold for
// any weights of the default topology with its default shifts; a test checks that they do.
//
// Rounding
//   Towards minus infinity: dropping the SHIFT lowest bits of a two's-complement number is the floor.
//
// Order of the loops (input-stationary; dataflow/hardware/pointwise_schedule.py compares the others)
//   for c in 0..IN_CHANNELS-1:                        a beat of s_axis
//     for o in 0..OUT_CHANNELS-1:                     a cycle
//       sum[o] = (c == 0 ? start[o] : sum[o]) + weight[o][c] * in[c]
//   WEIGHT_FILE holds the weights in just this order, so that its address only counts. The sums turn
//   in a ring: the one that is next leaves at the bottom and comes back on top, which needs neither
//   an address nor a multiplexer, and the first product of a sum replaces what the ring brings, which
//   needs no cycle to clear it.
//
// Cycles
//   With INPUT_REGISTERS = 2, which keep the beat that is multiplied and the one after it:
//   IN_CHANNELS * OUT_CHANNELS multiply cycles a pixel (multiply_en is high), 768 by default, one for
//   each weight. Pixels follow one another without a bubble: 768 cycles a pixel.
//   Fill: 3 cycles. A beat that is taken in cycle 0 is multiplied from cycle 1 on (input register,
//   weight register), added from cycle 2 on (product register), and the first output that it completes
//   is offered in cycle 3 (output register). With no gaps and no stalls the outputs of a pixel
//   are offered in cycles (IN_CHANNELS - 1) * OUT_CHANNELS + 3 to IN_CHANNELS * OUT_CHANNELS + 2,
//   755 to 770 by default, counted from the cycle in which its first beat is taken.
//   With INPUT_REGISTERS = 1 taking the next beat costs a cycle more for each.
//
// Streams (AXI4-Stream between blocks: tdata is as wide as the number, not whole bytes)
//   s_axis  one input channel a beat, channel 0 first, tlast on the last
//   m_axis  one output channel a beat, channel 0 first, tlast on the last
//   s_axis_tready and all of m_axis come from registers alone. A stalled output stops the multiplier
//   only when the next output is complete.
//   tlast in the wrong place: the pixel is discarded whole (no output), frame_error_o is high for one
//   cycle, and the next pixel is right. Where tlast comes too late, all beats up to it are discarded.
//
// Example: IN_CHANNELS = 2, OUT_CHANNELS = 2, SHIFT = 1
//   weight = {{3, -2}, {-1, 1}} as [o][c], WEIGHT_FILE = 3 -1 -2 1 (hexadecimal 03 3f 3e 01)
//   in     = 5, 4 (tlast)
//   sums   = 15, -5 after channel 0; 7, -1 after channel 1
//   out    = floor(7 / 2) = 3, max(0, floor(-1 / 2) = -1) = 0 (tlast)
//   The same with BIASES = 1, biases 10 and 20, RELU = 0 and SHIFT = 0: out = 17, 19 (tlast)

`default_nettype none

module pointwise_conv #(
    parameter IN_CHANNELS     = 48,
    parameter OUT_CHANNELS    = 16,
    parameter IN_BITS         = 16,
    parameter WEIGHT_BITS     = 6,
    parameter PRODUCT_BITS    = 22,
    parameter ACC_BITS        = 27,
    parameter OUT_BITS        = 18,
    parameter SHIFT           = 8,
    parameter RELU            = 1,
    parameter BIASES          = 0,
    parameter INPUT_REGISTERS = 2,                    // 1: a beat is taken when the last one is done
    parameter CHANNEL_BITS    = 6,                    // holds IN_CHANNELS - 1
    parameter OUTPUT_BITS     = 4,                    // holds OUT_CHANNELS - 1
    parameter ADDRESS_BITS    = 10,                   // holds IN_CHANNELS * OUT_CHANNELS - 1
    parameter WEIGHT_FILE     = "",                   // golden.exports.mem, order "kh kw in out"
    parameter BIAS_FILE       = ""                    // golden.exports.mem, a bias of ACC_BITS a word
) (
    input  wire                clk_i,
    input  wire                rst_ni,              // synchronous, active low, one cycle is enough

    input  wire [IN_BITS-1:0]  s_axis_tdata,
    input  wire                s_axis_tvalid,
    output wire                s_axis_tready,
    input  wire                s_axis_tlast,

    output wire [OUT_BITS-1:0] m_axis_tdata,
    output wire                m_axis_tvalid,
    input  wire                m_axis_tready,
    output wire                m_axis_tlast,

    output wire                frame_error_o
);

  localparam ADDRESS_COUNT = IN_CHANNELS * OUT_CHANNELS;

  // Illegal parameters: the module that is missing is named after the rule that is broken.
  generate
    if (IN_CHANNELS < 1) begin : g_illegal_in_channels
      pointwise_conv_requires_IN_CHANNELS_of_at_least_1 illegal ();
    end
    if (OUT_CHANNELS < 1) begin : g_illegal_out_channels
      pointwise_conv_requires_OUT_CHANNELS_of_at_least_1 illegal ();
    end
    if (IN_BITS < 1) begin : g_illegal_in_bits
      pointwise_conv_requires_IN_BITS_of_at_least_1 illegal ();
    end
    if (WEIGHT_BITS < 2) begin : g_illegal_weight_bits
      pointwise_conv_requires_WEIGHT_BITS_of_at_least_2 illegal ();
    end
    if (OUT_BITS < 1) begin : g_illegal_out_bits
      pointwise_conv_requires_OUT_BITS_of_at_least_1 illegal ();
    end
    if ((RELU != 0 && RELU != 1) || (BIASES != 0 && BIASES != 1)) begin : g_illegal_options
      pointwise_conv_requires_RELU_and_BIASES_of_0_or_1 illegal ();
    end
    if (INPUT_REGISTERS != 1 && INPUT_REGISTERS != 2) begin : g_illegal_input_registers
      pointwise_conv_requires_INPUT_REGISTERS_of_1_or_2 illegal ();
    end
    if (SHIFT < 0) begin : g_illegal_shift
      pointwise_conv_requires_SHIFT_of_at_least_0 illegal ();
    end
    if (PRODUCT_BITS <= IN_BITS) begin : g_illegal_product_bits_in
      pointwise_conv_requires_PRODUCT_BITS_above_IN_BITS illegal ();
    end
    if (PRODUCT_BITS < WEIGHT_BITS) begin : g_illegal_product_bits_weight
      pointwise_conv_requires_PRODUCT_BITS_of_at_least_WEIGHT_BITS illegal ();
    end
    if (ACC_BITS < PRODUCT_BITS) begin : g_illegal_acc_bits_product
      pointwise_conv_requires_ACC_BITS_of_at_least_PRODUCT_BITS illegal ();
    end
    if (ACC_BITS < SHIFT + OUT_BITS) begin : g_illegal_acc_bits_out
      pointwise_conv_requires_ACC_BITS_of_at_least_SHIFT_plus_OUT_BITS illegal ();
    end
    if (CHANNEL_BITS < 1 || (IN_CHANNELS - 1) >> CHANNEL_BITS != 0) begin : g_illegal_channel_bits
      pointwise_conv_requires_CHANNEL_BITS_to_hold_IN_CHANNELS_minus_1 illegal ();
    end
    if (OUTPUT_BITS < 1 || (OUT_CHANNELS - 1) >> OUTPUT_BITS != 0) begin : g_illegal_output_bits
      pointwise_conv_requires_OUTPUT_BITS_to_hold_OUT_CHANNELS_minus_1 illegal ();
    end
    if (ADDRESS_BITS < 1 || (ADDRESS_COUNT - 1) >> ADDRESS_BITS != 0) begin : g_illegal_address_bits
      pointwise_conv_requires_ADDRESS_BITS_to_hold_every_weight illegal ();
    end
  endgenerate

  localparam [CHANNEL_BITS-1:0] LAST_CHANNEL = IN_CHANNELS[CHANNEL_BITS-1:0] - 1'b1;
  localparam [OUTPUT_BITS-1:0]  LAST_OUTPUT  = OUT_CHANNELS[OUTPUT_BITS-1:0] - 1'b1;
  localparam [ADDRESS_BITS-1:0] LAST_ADDRESS = ADDRESS_COUNT[ADDRESS_BITS-1:0] - 1'b1;

  // ---- Input: the beat that is being multiplied and, with room for it, the one after it ------------

  localparam SPARE = INPUT_REGISTERS == 2;

  reg                    active_valid_q;
  reg                    active_first_q;   // it is channel 0
  reg                    active_final_q;   // it is the last channel
  reg [IN_BITS-1:0]      active_data_q;
  reg                    spare_valid_q;
  reg                    spare_last_q;
  reg [IN_BITS-1:0]      spare_data_q;
  reg [CHANNEL_BITS-1:0] channel_q;        // the channel that the next beat must be
  reg [OUTPUT_BITS-1:0]  output_q;         // the output channel that is being multiplied
  reg                    skipping_q;       // discarding the rest of a frame that is too long
  reg                    frame_error_q;

  wire multiply_en;

  wire               waiting      = SPARE & spare_valid_q;
  wire               next_valid   = waiting | s_axis_tvalid;
  wire               next_last    = waiting ? spare_last_q : s_axis_tlast;
  wire [IN_BITS-1:0] next_data    = waiting ? spare_data_q : s_axis_tdata;
  wire               next_final   = channel_q == LAST_CHANNEL;
  wire               last_output  = output_q == LAST_OUTPUT;
  wire               done         = multiply_en & last_output;
  wire               load         = next_valid & (~active_valid_q | (SPARE & done));
  wire               wrong_length = next_last != next_final;
  wire               activate     = load & ~skipping_q & ~wrong_length;
  wire               discard      = load & ~activate;

  assign s_axis_tready = SPARE ? ~spare_valid_q : ~active_valid_q;
  assign frame_error_o = frame_error_q;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      active_valid_q <= 1'b0;
      spare_valid_q  <= 1'b0;
      channel_q      <= {CHANNEL_BITS{1'b0}};
      output_q       <= {OUTPUT_BITS{1'b0}};
      skipping_q     <= 1'b0;
      frame_error_q  <= 1'b0;
    end else begin
      spare_valid_q <= SPARE & next_valid & ~load;
      frame_error_q <= load & ~skipping_q & wrong_length;
      if (load) begin
        active_valid_q <= activate;
        skipping_q     <= ~next_last & (skipping_q | next_final);
        channel_q      <= activate & ~next_final ? channel_q + 1'b1 : {CHANNEL_BITS{1'b0}};
      end else if (done) begin
        active_valid_q <= 1'b0;
      end
      if (multiply_en) output_q <= last_output ? {OUTPUT_BITS{1'b0}} : output_q + 1'b1;
    end
  end

  always @(posedge clk_i) begin
    if (~spare_valid_q) begin
      spare_data_q <= s_axis_tdata;
      spare_last_q <= s_axis_tlast;
    end
    if (load) begin
      active_data_q  <= next_data;
      active_first_q <= channel_q == {CHANNEL_BITS{1'b0}};
      active_final_q <= next_final;
    end
  end

  // ---- Weight: read ahead, so that weight_q always belongs to the multiplication to come ----------

  reg signed [WEIGHT_BITS-1:0]  weights [0:ADDRESS_COUNT-1];
  reg signed [WEIGHT_BITS-1:0]  weight_q;
  reg        [ADDRESS_BITS-1:0] address_q;

  wire restart = ~rst_ni | discard | (multiply_en & (address_q == LAST_ADDRESS));
  wire [ADDRESS_BITS-1:0] address_d =
      restart ? {ADDRESS_BITS{1'b0}} : multiply_en ? address_q + 1'b1 : address_q;

`ifndef FORMAL  // the proofs are for any weights
  initial if (WEIGHT_FILE != "") $readmemh(WEIGHT_FILE, weights);
  memory_file #(.FILE(WEIGHT_FILE)) file ();
`endif

  always @(posedge clk_i) begin
    address_q <= address_d;
    weight_q  <= weights[address_d];
  end

  // ---- Multiply: both operands extended to the product's width -------------------------------------

  reg                            product_valid_q;
  reg                            product_first_q;  // it is the first product of its sum
  reg                            product_final_q;  // it is the last product of its sum
  reg                            product_last_q;   // and its sum is the last of the pixel
  reg  signed [PRODUCT_BITS-1:0] product_q;
  wire                           advance;

  wire signed [PRODUCT_BITS-1:0] activation = {{(PRODUCT_BITS - IN_BITS){1'b0}}, active_data_q};
  wire signed [PRODUCT_BITS-1:0] weight =
      {{(PRODUCT_BITS - WEIGHT_BITS + 1){weight_q[WEIGHT_BITS-1]}}, weight_q[WEIGHT_BITS-2:0]};

  always @(posedge clk_i) begin
    if (!rst_ni) product_valid_q <= 1'b0;
    else if (advance) product_valid_q <= active_valid_q;
  end

  always @(posedge clk_i) begin
    if (multiply_en) begin
      product_q       <= activation * weight;
      product_first_q <= active_first_q;
      product_final_q <= active_final_q;
      product_last_q  <= last_output;
    end
  end

  // ---- Accumulate: the ring of sums, lowest the one that is next ------------------------------------

  reg  [OUT_CHANNELS*ACC_BITS-1:0] ring_q;

  wire accumulate_en = product_valid_q & advance;
  wire signed [ACC_BITS-1:0] oldest = ring_q[ACC_BITS-1:0];
  wire signed [ACC_BITS-1:0] addend =
      {{(ACC_BITS - PRODUCT_BITS + 1){product_q[PRODUCT_BITS-1]}}, product_q[PRODUCT_BITS-2:0]};
  wire signed [ACC_BITS-1:0] sum;

  generate
    if (BIASES == 0) begin : g_from_0
      assign sum = product_first_q ? addend : oldest + addend;
    end else begin : g_from_bias
      reg signed [ACC_BITS-1:0] biases [0:OUT_CHANNELS-1];
      reg signed [ACC_BITS-1:0] bias_q;
      wire signed [ACC_BITS-1:0] sum_before = product_first_q ? bias_q : oldest;

`ifndef FORMAL  // the proofs are for any biases
      initial if (BIAS_FILE != "") $readmemh(BIAS_FILE, biases);
      memory_file #(.FILE(BIAS_FILE)) file ();
`endif

      always @(posedge clk_i) if (multiply_en) bias_q <= biases[output_q];
      assign sum = sum_before + addend;
    end
    if (OUT_CHANNELS == 1) begin : g_one_sum
      always @(posedge clk_i) if (accumulate_en) ring_q <= sum;
    end else begin : g_ring
      always @(posedge clk_i)
        if (accumulate_en) ring_q <= {sum, ring_q[OUT_CHANNELS*ACC_BITS-1:ACC_BITS]};
    end
  endgenerate

  // ---- Output: floor shift, and ReLU where there is one ----------------------------------------------

  wire                ready;
  wire                complete = product_valid_q & product_final_q;
  wire                negative = RELU == 1 && sum[ACC_BITS-1];
  wire [OUT_BITS-1:0] value    = negative ? {OUT_BITS{1'b0}} : sum[SHIFT+OUT_BITS-1:SHIFT];

  // Everything halts together, and only when a finished sum finds the output register occupied.
  assign advance     = ~complete | ready;
  assign multiply_en = active_valid_q & advance;

  stream_register #(
      .BITS(OUT_BITS)
  ) out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .s_axis_tdata(value),
      .s_axis_tvalid(complete),
      .s_axis_tready(ready),
      .s_axis_tuser(product_last_q),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tuser(m_axis_tlast)
  );

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, biases from -BIAS_MAX - 1 to BIAS_MAX, inputs up to INPUT_MAX, gaps, stalls, resets and
  // misplaced tlast, and any f_output.

  localparam F_PIXEL = IN_CHANNELS * OUT_CHANNELS;
  localparam F_BITS  = ACC_BITS + CHANNEL_BITS + 2;  // no sum below wraps
  localparam signed [F_BITS-1:0] F_LARGEST  = ((1 << (WEIGHT_BITS - 1)) - 1) * `INPUT_MAX;
  localparam signed [F_BITS-1:0] F_SMALLEST = -(1 << (WEIGHT_BITS - 1)) * `INPUT_MAX;
`ifdef BIAS_MAX
  localparam signed [F_BITS-1:0] F_BIAS_MAX = `BIAS_MAX;
  localparam signed [F_BITS-1:0] F_BIAS_MIN = -F_BIAS_MAX - 1;
`else
  localparam signed [F_BITS-1:0] F_BIAS_MAX = 0;
  localparam signed [F_BITS-1:0] F_BIAS_MIN = 0;
`endif

  (* anyconst *) reg [OUTPUT_BITS-1:0] f_output;
  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) begin
    f_running_q <= 1'b1;
    if (f_running_q && $past(rst_ni && s_axis_tvalid && !s_axis_tready))
      assume (s_axis_tvalid && $stable(s_axis_tdata) && $stable(s_axis_tlast));
  end
  always @* assume (f_running_q || !rst_ni);
  always @* assume (s_axis_tdata <= `INPUT_MAX && f_output <= LAST_OUTPUT);
`ifdef FULL_RATE
  always @* assume (rst_ni == f_running_q && s_axis_tvalid && m_axis_tready &&
      s_axis_tlast == (f_taken_q == IN_CHANNELS - 1));
`endif
`ifdef SMALLEST_PRODUCTS
  always @* assume (s_axis_tdata == `INPUT_MAX);
  always @* assume (!f_running_q || weight_q == -(1 << (WEIGHT_BITS - 1)));
`endif

  // What sums start with: the one of the product at hand, that of f_output, and of the next to leave.
  reg  [OUTPUT_BITS-1:0]     f_left_q;    // the outputs of this pixel that were accepted
  wire signed [ACC_BITS-1:0] f_start, f_output_start, f_left_start;

  generate
    if (BIASES == 0) begin : g_f_from_0
      assign f_start        = 0;
      assign f_output_start = 0;
      assign f_left_start   = 0;
    end else begin : g_f_from_bias
      wire signed [ACC_BITS-1:0] f_next_bias = g_from_bias.biases[output_q];
      assign f_start        = g_from_bias.bias_q;
      assign f_output_start = g_from_bias.biases[f_output];
      assign f_left_start   = g_from_bias.biases[f_left_q];
      always @* assume (f_next_bias >= F_BIAS_MIN && f_next_bias <= F_BIAS_MAX);
    end
  endgenerate

  always @(posedge clk_i) if (f_running_q) begin
    // An output that is offered stays, unchanged, until it is accepted.
    if ($past(rst_ni && m_axis_tvalid && !m_axis_tready))
      streams_hold: assert (m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tlast));
    // A beat that is taken and cannot be multiplied yet waits, unchanged, and no other does.
    if (SPARE && $past(rst_ni && next_valid && !load)) streams_wait: assert (
        spare_valid_q && spare_data_q == $past(next_data) && spare_last_q == $past(next_last));
    else streams_empty: assert (!spare_valid_q);
    // A beat that is taken waits, or is the next one.
    if ($past(rst_ni && s_axis_tvalid && s_axis_tready)) streams_take: assert (
        spare_valid_q ? spare_data_q == $past(s_axis_tdata)
                      : $past(load) && active_data_q == $past(s_axis_tdata));
    // The beat that comes next is multiplied, unchanged, until its last output is.
    if ($past(rst_ni && activate))
      streams_activate: assert (active_valid_q && active_data_q == $past(next_data));
    if ($past(rst_ni && active_valid_q && !done))
      streams_active: assert (active_valid_q && $stable(active_data_q));
  end

  // Every flag, counter and address agrees with the channel and the output that its stage works on.
  reg [CHANNEL_BITS-1:0] f_active_channel_q;
  reg [CHANNEL_BITS-1:0] f_product_channel_q;
  reg [OUTPUT_BITS-1:0]  f_product_output_q;
  reg [OUTPUT_BITS-1:0]  f_out_output_q;
  reg [CHANNEL_BITS:0]   f_terms_q;  // products in the ring's sum of f_output, 0 without one

  wire f_adds    = product_valid_q && f_product_output_q == f_output;
  wire f_to_come = active_valid_q && output_q <= f_output;
  wire [CHANNEL_BITS-1:0] f_later = active_valid_q ? f_active_channel_q : channel_q;
  wire [CHANNEL_BITS-1:0] f_next  =  // the channel of the next product of f_output
      f_adds ? f_product_channel_q : f_to_come ? f_active_channel_q : channel_q;

  always @(posedge clk_i) begin
    if (load) f_active_channel_q <= channel_q;
    if (multiply_en) f_product_channel_q <= f_active_channel_q;
    if (multiply_en) f_product_output_q <= output_q;
    if (complete && ready) f_out_output_q <= f_product_output_q;
    if (!rst_ni) f_terms_q <= 0;
    else if (accumulate_en && f_adds)
      f_terms_q <= product_final_q ? 0 : product_first_q ? 1 : f_terms_q + 1'b1;
  end

  always @* if (f_running_q) begin
    control_range: assert (channel_q <= LAST_CHANNEL && output_q <= LAST_OUTPUT);
    control_address: assert (address_q == f_later * OUT_CHANNELS + output_q);
    if (!active_valid_q) control_idle: assert (output_q == 0);
    else control_active: assert (
        active_first_q == (f_active_channel_q == 0) &&
        active_final_q == (f_active_channel_q == LAST_CHANNEL) &&
        channel_q == (active_final_q ? 0 : f_active_channel_q + 1));
    if (product_valid_q) control_product: assert (
        f_product_output_q <= LAST_OUTPUT && f_product_channel_q <= LAST_CHANNEL &&
        product_first_q == (f_product_channel_q == 0) &&
        product_final_q == (f_product_channel_q == LAST_CHANNEL) &&
        product_last_q == (f_product_output_q == LAST_OUTPUT) &&
        output_q == (product_last_q ? 0 : f_product_output_q + 1) &&
        (product_last_q ? f_later == 0 || f_later == f_product_channel_q + 1
                        : active_valid_q && f_active_channel_q == f_product_channel_q));
    control_terms: assert (f_next == 0 || f_terms_q == f_next);
  end

  // The outputs of a pixel leave in order, none missing or twice, tlast on the last. A frame whose
  // length is wrong gives one cycle of frame_error_o and no output.
  reg [CHANNEL_BITS:0]  f_length_q;  // the beats of this frame so far, at most IN_CHANNELS
  wire [OUTPUT_BITS-1:0] f_left = f_left_q == LAST_OUTPUT ? 0 : f_left_q + 1;

  always @(posedge clk_i) begin
    if (!rst_ni) f_left_q <= 0;
    else if (m_axis_tvalid && m_axis_tready) f_left_q <= f_left;
    if (!rst_ni) f_length_q <= 0;
    else if (load) f_length_q <= next_last ? 0 : f_length_q + (f_length_q < IN_CHANNELS);
    if (f_running_q) frames_error: assert (frame_error_o == $past(
        rst_ni && load && (next_last ? f_length_q < LAST_CHANNEL : f_length_q == LAST_CHANNEL)));
  end

  always @* if (f_running_q) begin
    frames_length: assert (f_length_q == (skipping_q ? IN_CHANNELS : channel_q));
    frames_next: assert (f_left_q <= LAST_OUTPUT && (m_axis_tvalid ? f_left : f_left_q) ==
        (product_valid_q && product_final_q ? f_product_output_q :
         active_valid_q && active_final_q ? output_q : 0));
    if (m_axis_tvalid) frames_order: assert (
        f_out_output_q == f_left_q && m_axis_tlast == (f_left_q == LAST_OUTPUT));
  end

  // A product is exact and of the active beat and the weight of its channel and output.
  reg  signed [F_BITS-1:0] f_product_q;
  always @(posedge clk_i) if (multiply_en) f_product_q <= $signed({1'b0, active_data_q}) * weight_q;

  always @* if (f_running_q) begin
    products_weight: assert (weight_q == weights[address_q]);
    products_input: assert (!active_valid_q || active_data_q <= `INPUT_MAX);
    products_spare: assert (!spare_valid_q || spare_data_q <= `INPUT_MAX);
    if (product_valid_q) products_exact: assert (product_q == f_product_q);
    if (product_valid_q)
      products_bound: assert (f_product_q >= F_SMALLEST && f_product_q <= F_LARGEST);
  end

  // No sum and no output needs more bits than it has: a sum of n products lies between the smallest
  // bias and n times the smallest product, and the largest bias and n times the largest.
  wire [OUTPUT_BITS-1:0] f_bottom = product_valid_q ? f_product_output_q : output_q;
  wire [OUTPUT_BITS:0]   f_slot   = f_output - f_bottom + (f_output < f_bottom ? OUT_CHANNELS : 0);
  reg  signed [ACC_BITS-1:0] f_kept;  // what the ring holds for f_output
  integer f_i;

  always @* begin
    f_kept = 0;
    for (f_i = 0; f_i < OUT_CHANNELS; f_i = f_i + 1)
      if (f_slot == f_i) f_kept = ring_q[f_i*ACC_BITS +: ACC_BITS];
  end

  wire signed [F_BITS-1:0] f_terms   = f_terms_q;
  wire signed [F_BITS-1:0] f_sum     = (product_first_q ? f_start : f_kept) + f_product_q;
  wire signed [F_BITS-1:0] f_shifted = f_sum >>> SHIFT;

  always @* if (f_running_q) begin
    if (product_valid_q) sums_start: assert (f_start >= F_BIAS_MIN && f_start <= F_BIAS_MAX);
    if (f_terms_q != 0) sums_bound: assert (f_kept >= F_BIAS_MIN + f_terms * F_SMALLEST &&
                                            f_kept <= F_BIAS_MAX + f_terms * F_LARGEST);
    if (f_adds) sums_fit: assert (sum == f_sum);
    if (f_adds && product_final_q) sums_output: assert (
        RELU == 1 ? f_shifted < (1 << OUT_BITS)
                  : f_shifted >= -(1 << (OUT_BITS - 1)) && f_shifted < (1 << (OUT_BITS - 1)));
  end

  // An output is what the header says of its start and the products of its pixel.
  reg  signed [F_BITS-1:0] f_total_q;
  reg  signed [F_BITS-1:0] f_expected_q;
  wire signed [F_BITS-1:0] f_total =
      (product_first_q ? f_output_start : f_total_q) + f_product_q;
  wire signed [F_BITS-1:0] f_value =
      {{(F_BITS - OUT_BITS){RELU == 0 && m_axis_tdata[OUT_BITS-1]}}, m_axis_tdata};

  always @(posedge clk_i) begin
    if (accumulate_en && f_adds) f_total_q <= f_total;
    if (complete && ready) f_expected_q <= RELU == 1 && f_total < 0 ? 0 : f_total >>> SHIFT;
  end

  always @* if (f_running_q) begin
    if (f_adds && product_first_q) outputs_start: assert (f_start == f_output_start);
    if (f_terms_q != 0) outputs_sum: assert (f_kept == f_total_q);
    if (m_axis_tvalid && f_out_output_q == f_output)
      outputs_value: assert (f_value == f_expected_q);
  end

  // From an idle machine on, without gap or stall: a multiplication in every cycle from cycle 1 on,
  // so IN_CHANNELS * OUT_CHANNELS a pixel, and the outputs of the first pixel in just the cycles
  // that the header gives.
  reg                    f_rate_q;   // no gap and no stall since
  reg [ADDRESS_BITS+2:0] f_cycle_q;  // cycles since, at most F_PIXEL + 3
  wire f_stall = m_axis_tvalid && !m_axis_tready;
  wire f_flow  = rst_ni && !discard && next_valid && !f_stall;
  wire f_idle  = f_running_q && !active_valid_q && !spare_valid_q && !product_valid_q &&
      !m_axis_tvalid && channel_q == 0;

  always @(posedge clk_i) begin
    f_rate_q  <= f_flow && (f_idle || (f_running_q && f_rate_q));
    f_cycle_q <= f_idle ? 1 : f_cycle_q + (f_cycle_q < F_PIXEL + 3);
  end

  always @* if (f_running_q && f_rate_q) begin
    cycles_multiply: assert (f_cycle_q != 0 && (multiply_en || f_stall));
    if (f_cycle_q <= F_PIXEL) cycles_address: assert (address_q == f_cycle_q - 1);
    cycles_fill: assert (product_valid_q == (f_cycle_q >= 2));
    if (f_cycle_q >= 2 && f_cycle_q <= F_PIXEL + 1) cycles_product: assert (
        f_product_channel_q * OUT_CHANNELS + f_product_output_q == f_cycle_q - 2);
    if (f_cycle_q <= F_PIXEL + 2) cycles_offer: assert (
        m_axis_tvalid == (f_cycle_q >= (IN_CHANNELS - 1) * OUT_CHANNELS + 3));
  end

  // The first pixel that leaves after a reset is the formula at the top, on the beats as they came.
  reg [IN_CHANNELS*IN_BITS-1:0] f_beats_q;
  reg [CHANNEL_BITS:0]          f_taken_q;
  reg                           f_first_pixel_q;  // it has not left and no frame error came
  reg signed [PRODUCT_BITS-1:0] f_beat;
  reg signed [PRODUCT_BITS-1:0] f_weight;
  reg signed [PRODUCT_BITS-1:0] f_term;           // exact: products_exact
  reg signed [F_BITS-1:0]       f_formula;
  integer f_c;

  always @(posedge clk_i) begin
    if (!rst_ni) f_taken_q <= 0;
    else if (s_axis_tvalid && s_axis_tready && f_taken_q < IN_CHANNELS) begin
      f_taken_q <= f_taken_q + 1;
      f_beats_q[f_taken_q*IN_BITS +: IN_BITS] <= s_axis_tdata;
    end
    f_first_pixel_q <= !rst_ni ||
        (f_first_pixel_q && !frame_error_o && !(m_axis_tvalid && m_axis_tready && m_axis_tlast));
  end

  always @* begin
    f_formula = f_left_start;
    for (f_c = 0; f_c < IN_CHANNELS; f_c = f_c + 1) begin
      f_beat    = {1'b0, f_beats_q[f_c*IN_BITS +: IN_BITS]};
      f_weight  = weights[f_c * OUT_CHANNELS + f_left_q];
      f_term    = f_beat * f_weight;
      f_formula = f_formula + f_term;
    end
    if (f_running_q && f_first_pixel_q && m_axis_tvalid) pixel_value: assert (
        f_taken_q == IN_CHANNELS &&
        f_value == (RELU == 1 && f_formula < 0 ? 0 : f_formula >>> SHIFT));
  end

  // The assumptions leave room: a last output above 0 can be offered in the cycle of a frame error.
  always @* if (f_running_q)
    reach_error: cover (m_axis_tvalid && m_axis_tlast && m_axis_tdata != 0 && frame_error_o);
`endif

endmodule

`default_nettype wire
