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
    parameter WEIGHT_FILE   = ""                   // golden.exports.mem, LANES weights a word
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
    if (SHIFT < 0) begin : g_illegal_shift
      conv_1_requires_SHIFT_of_at_least_0 illegal ();
    end
    if (OUT_BITS < 1 || ACC_BITS < SHIFT + OUT_BITS) begin : g_illegal_acc_bits
      conv_1_requires_ACC_BITS_of_at_least_SHIFT_plus_OUT_BITS illegal ();
    end
    if (POSITION_BITS < 1 || (POSITIONS - 1) >> POSITION_BITS != 0) begin : g_illegal_position_bits
      conv_1_requires_POSITION_BITS_to_hold_POSITIONS_minus_1 illegal ();
    end
  endgenerate

  localparam [POSITION_BITS-1:0] LAST_POSITION = POSITIONS[POSITION_BITS-1:0] - 1'b1;

  // ---- The walk: windows of a plane ---------------------------------------------------------------------

  wire                     advance;
  wire                     take = s_axis_tvalid & advance;
  wire                     last_step;
  reg  [POSITION_BITS-1:0] position_q;
  wire                     last_position = position_q == LAST_POSITION;
  // A flushing window must leave the weights of the plane to come in place: it counts as one of its
  // windows, but never as the last.
  wire                     plane_end = last_position & ~s_axis_tuser;

  assign s_axis_tready = advance;

  always @(posedge clk_i) begin
    if (!rst_ni) position_q <= {POSITION_BITS{1'b0}};
    else if (take & last_step & ~s_axis_tuser)
      position_q <= last_position ? {POSITION_BITS{1'b0}} : position_q + 1'b1;
  end

  // ---- Multiply and accumulate --------------------------------------------------------------------------

  wire                       sum_valid;   // sum is the sum of a whole window
  wire                       sum_flush;
  wire signed [ACC_BITS-1:0] sum;

`ifdef FORMAL
  wire f_product_valid, f_product_last, f_product_flush;
`endif

  multiply_accumulate #(
      .LANES(LANES),
      .STEPS(STEPS),
      .CHANNELS(CHANNELS),
      .TAP_BITS(IN_BITS),
      .WEIGHT_BITS(WEIGHT_BITS),
      .PRODUCT_BITS(PRODUCT_BITS),
      .ACC_BITS(ACC_BITS),
      .STEP_BITS(STEP_BITS),
      .ADDRESS_BITS(ADDRESS_BITS),
      .WEIGHT_FILE(WEIGHT_FILE)
  ) mac (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .advance_i(advance),
      .step_valid_i(s_axis_tvalid),
      .taps_i(s_axis_tdata),
      .marks_i(s_axis_tuser),
      .plane_end_i(plane_end),
      /* verilator lint_off PINCONNECTEMPTY */  // lanes are wired to taps; values leave without tlast
      .step_o(),
      .last_step_o(last_step),
      .last_channel_o(),
      /* verilator lint_on PINCONNECTEMPTY */
`ifdef FORMAL
      .product_valid_o(f_product_valid),
      .product_last_o(f_product_last),
      .product_marks_o(f_product_flush),
`endif
      .sum_valid_o(sum_valid),
      .sum_o(sum),
      .marks_o(sum_flush)
  );

  // ---- Output: floor shift and ReLU ----------------------------------------------------------------------

  wire                negative = sum[ACC_BITS-1];
  wire [OUT_BITS-1:0] value    = negative ? {OUT_BITS{1'b0}} : sum[SHIFT+OUT_BITS-1:SHIFT];

  stream_register #(
      .BITS(OUT_BITS)
  ) out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .s_axis_tdata(value),
      .s_axis_tvalid(sum_valid),
      .s_axis_tready(advance),
      .s_axis_tuser(sum_flush),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tuser(m_axis_tuser)
  );

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, inputs, gaps, stalls and resets.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
`ifdef LARGEST_PRODUCTS
  localparam [IN_BITS-1:0] F_INPUT = 1 << (IN_BITS - 1);
  always @* assume (s_axis_tvalid && m_axis_tready && rst_ni == f_running_q);
  always @* assume (s_axis_tdata == {LANES{F_INPUT}});
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

  wire       f_product_whole = f_product_valid && f_product_last;
  wire [1:0] f_sum_window    = f_values_q + m_axis_tvalid;
  wire [1:0] f_last_window   = f_sum_window + sum_valid;

  // A plane is POSITIONS windows that do not flush.
  reg [POSITION_BITS-1:0] f_position_q;

  always @(posedge clk_i) begin
    if (!rst_ni) f_position_q <= 0;
    else if (s_axis_tvalid && s_axis_tready && last_step && !s_axis_tuser)
      f_position_q <= f_position_q == POSITIONS - 1 ? 0 : f_position_q + 1;
    f_windows_q <= !rst_ni ? 0 : f_windows_q + (take && last_step);
    f_values_q  <= !rst_ni ? 0 : f_values_q + (m_axis_tvalid && m_axis_tready);
    if (take && last_step && f_windows_q == f_window) f_flush_q <= s_axis_tuser;
  end

  always @* if (f_running_q) begin
    streams_count: assert (f_windows_q == f_last_window + f_product_whole);
    if (f_product_whole && f_last_window == f_window)
      streams_product: assert (f_product_flush == f_flush_q);
    if (sum_valid && f_sum_window == f_window) streams_sum: assert (sum_flush == f_flush_q);
    if (m_axis_tvalid && f_values_q == f_window)
      streams_user: assert (m_axis_tuser == f_flush_q);
    streams_plane: assert (position_q <= LAST_POSITION && position_q == f_position_q &&
        plane_end == (f_position_q == POSITIONS - 1 && !s_axis_tuser));
  end

  // A value is max(0, floor(sum / 2**SHIFT)), and fits.
  reg signed [ACC_BITS:0] f_expected_q;
  wire signed [ACC_BITS:0] f_sum = sum;

  always @(posedge clk_i) if (advance) f_expected_q <= f_sum < 0 ? 0 : f_sum >>> SHIFT;
  always @* if (f_running_q) begin
    if (sum_valid) outputs_fit: assert ((f_sum >>> SHIFT) < (1 << OUT_BITS));
    if (m_axis_tvalid) outputs_value: assert (m_axis_tdata == f_expected_q);
  end
`endif

endmodule

`default_nettype wire
