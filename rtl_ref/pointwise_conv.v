// Pointwise (1x1) convolution of one pixel with one multiplier, then floor shift and ReLU.
//
//   out[o] = max(0, floor(sum over c of weight[o][c] * in[c] / 2**SHIFT))
//
// Numbers
//   in       unsigned, IN_BITS: activations follow a ReLU and are never negative
//   weight   two's complement, WEIGHT_BITS
//   product  two's complement, PRODUCT_BITS
//   sum      two's complement, ACC_BITS: every partial sum fits, so nothing wraps or saturates
//   out      unsigned, OUT_BITS: the largest shifted sum fits, so nothing is clipped
// dataflow/rtl_parameters.py derives every parameter from a network. The defaults hold for any
// weights of the default topology with its default shifts; a test checks that they do.
//
// Rounding
//   Towards minus infinity: dropping the SHIFT lowest bits of a two's-complement number is the floor.
//
// Order of the loops (input-stationary; dataflow/pointwise_schedule.py compares the alternatives)
//   for c in 0..IN_CHANNELS-1:                        a beat of s_axis
//     for o in 0..OUT_CHANNELS-1:                     a cycle
//       sum[o] = (c == 0 ? 0 : sum[o]) + weight[o][c] * in[c]
//   WEIGHT_FILE holds the weights in just this order, so that its address only counts. The sums turn
//   in a ring: the one that is next leaves at the bottom and comes back on top, which needs neither
//   an address nor a multiplexer, and the first product of a sum replaces what the ring brings, which
//   needs no cycle to clear it.
//
// Cycles
//   IN_CHANNELS * OUT_CHANNELS multiply cycles a pixel (multiply_en is high), 768 by default, one for
//   each weight. Pixels follow one another without a bubble: 768 cycles a pixel.
//   Fill: 3 cycles. A beat that is taken in cycle 0 is multiplied from cycle 1 on (input register,
//   weight register), added from cycle 2 on (product register), and the first output that it completes
//   is offered in cycle 3 (output register). With no gaps and no stalls the outputs of a pixel
//   are offered in cycles (IN_CHANNELS - 1) * OUT_CHANNELS + 3 to IN_CHANNELS * OUT_CHANNELS + 2,
//   755 to 770 by default, counted from the cycle in which its first beat is taken.
//
// Streams (AXI4-Stream, but tdata is as wide as the number, not whole bytes)
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

`default_nettype none

module pointwise_conv #(
    parameter IN_CHANNELS  = 48,
    parameter OUT_CHANNELS = 16,
    parameter IN_BITS      = 16,
    parameter WEIGHT_BITS  = 6,
    parameter PRODUCT_BITS = 22,
    parameter ACC_BITS     = 27,
    parameter OUT_BITS     = 18,
    parameter SHIFT        = 8,
    parameter CHANNEL_BITS = 6,                     // holds IN_CHANNELS - 1
    parameter OUTPUT_BITS  = 4,                     // holds OUT_CHANNELS - 1
    parameter ADDRESS_BITS = 10,                    // holds IN_CHANNELS * OUT_CHANNELS - 1
    parameter WEIGHT_FILE  = "pointwise_conv.mem"   // golden.mem, order "kh kw in out"
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

  // ---- Input: the beat that is being multiplied and, if it comes early, the one after it ----------

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

  wire               next_valid   = spare_valid_q | s_axis_tvalid;
  wire               next_last    = spare_valid_q ? spare_last_q : s_axis_tlast;
  wire [IN_BITS-1:0] next_data    = spare_valid_q ? spare_data_q : s_axis_tdata;
  wire               next_final   = channel_q == LAST_CHANNEL;
  wire               last_output  = output_q == LAST_OUTPUT;
  wire               load         = next_valid & (~active_valid_q | (multiply_en & last_output));
  wire               wrong_length = next_last != next_final;
  wire               activate     = load & ~skipping_q & ~wrong_length;
  wire               discard      = load & ~activate;

  assign s_axis_tready = ~spare_valid_q;
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
      spare_valid_q <= next_valid & ~load;
      frame_error_q <= load & ~skipping_q & wrong_length;
      if (load) begin
        active_valid_q <= activate;
        skipping_q     <= ~next_last & (skipping_q | next_final);
        channel_q      <= activate & ~next_final ? channel_q + 1'b1 : {CHANNEL_BITS{1'b0}};
      end else if (multiply_en & last_output) begin
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

  initial $readmemh(WEIGHT_FILE, weights);

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

  wire signed [PRODUCT_BITS-1:0] activation = {{(PRODUCT_BITS - IN_BITS){1'b0}}, active_data_q};
  wire signed [PRODUCT_BITS-1:0] weight =
      {{(PRODUCT_BITS - WEIGHT_BITS + 1){weight_q[WEIGHT_BITS-1]}}, weight_q[WEIGHT_BITS-2:0]};

  // Everything halts together, and only when a finished sum finds the output register occupied.
  wire advance = ~(product_valid_q & product_final_q & m_axis_tvalid & ~m_axis_tready);
  assign multiply_en = active_valid_q & advance;

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
  wire signed [ACC_BITS-1:0] sum = product_first_q ? addend : oldest + addend;

  generate
    if (OUT_CHANNELS == 1) begin : g_one_sum
      always @(posedge clk_i) if (accumulate_en) ring_q <= sum;
    end else begin : g_ring
      always @(posedge clk_i)
        if (accumulate_en) ring_q <= {sum, ring_q[OUT_CHANNELS*ACC_BITS-1:ACC_BITS]};
    end
  endgenerate

  // ---- Output: floor shift and ReLU into a register --------------------------------------------------

  reg                out_valid_q;
  reg                out_last_q;
  reg [OUT_BITS-1:0] out_data_q;

  wire emit = accumulate_en & product_final_q;
  wire negative = sum[ACC_BITS-1];

  assign m_axis_tvalid = out_valid_q;
  assign m_axis_tlast  = out_last_q;
  assign m_axis_tdata  = out_data_q;

  always @(posedge clk_i) begin
    if (!rst_ni) out_valid_q <= 1'b0;
    else out_valid_q <= emit | (out_valid_q & ~m_axis_tready);
  end

  always @(posedge clk_i) begin
    if (emit) begin
      out_data_q <= negative ? {OUT_BITS{1'b0}} : sum[SHIFT+OUT_BITS-1:SHIFT];
      out_last_q <= product_last_q;
    end
  end

endmodule

`default_nettype wire
