// Weights of a layer that works channel by channel: a memory that is read step by step.
//
// A window takes STEPS steps of LANES multiplications, a plane several windows, a frame CHANNELS
// planes. WEIGHT_FILE holds a word a step, lane 0 in the lowest bits, the steps of channel 0 first.
// Every window of a plane needs the same STEPS words; only after the last one do the next channel's
// follow, and after the last channel those of channel 0.
//
// Cycles
//   The memory is read ahead, so that weights_o always belongs to the step to come: a step may follow
//   a step without a bubble. After reset, the first weights are there one cycle later.
//
// Example: STEPS = 2, two windows a plane, step_en_i always high: words 0 1 0 1 | 2 3 2 3 | ...,
// where plane_end_i is high in the steps of each plane's second window.

`default_nettype none

module kernel_weights #(
    parameter LANES        = 16,
    parameter STEPS        = 1,
    parameter CHANNELS     = 48,
    parameter WEIGHT_BITS  = 6,
    parameter STEP_BITS    = 1,                    // holds STEPS - 1
    parameter ADDRESS_BITS = 6,                    // holds CHANNELS * STEPS - 1
    parameter WEIGHT_FILE  = ""                    // golden.exports.mem, LANES weights a word
) (
    input  wire                         clk_i,
    input  wire                         rst_ni,

    input  wire                         step_en_i,       // the weights are used in this cycle
    input  wire                         plane_end_i,     // by the last window of a plane
    output wire [LANES*WEIGHT_BITS-1:0] weights_o,
    output wire [STEP_BITS-1:0]         step_o,          // the step within its window
    output wire                         first_step_o,
    output wire                         last_step_o,
    output wire                         last_channel_o   // with last_step_o: no channel follows
);

  localparam WORDS = CHANNELS * STEPS;

  generate
    if (LANES < 1) begin : g_illegal_lanes
      kernel_weights_requires_LANES_of_at_least_1 illegal ();
    end
    if (STEPS < 1) begin : g_illegal_steps
      kernel_weights_requires_STEPS_of_at_least_1 illegal ();
    end
    if (CHANNELS < 1) begin : g_illegal_channels
      kernel_weights_requires_CHANNELS_of_at_least_1 illegal ();
    end
    if (WEIGHT_BITS < 1) begin : g_illegal_weight_bits
      kernel_weights_requires_WEIGHT_BITS_of_at_least_1 illegal ();
    end
    if (STEP_BITS < 1 || (STEPS - 1) >> STEP_BITS != 0) begin : g_illegal_step_bits
      kernel_weights_requires_STEP_BITS_to_hold_STEPS_minus_1 illegal ();
    end
    if (ADDRESS_BITS < 1 || (WORDS - 1) >> ADDRESS_BITS != 0) begin : g_illegal_address_bits
      kernel_weights_requires_ADDRESS_BITS_to_hold_every_word illegal ();
    end
  endgenerate

  localparam [STEP_BITS-1:0]    LAST_STEP    = STEPS[STEP_BITS-1:0] - 1'b1;
  localparam [ADDRESS_BITS-1:0] LAST_ADDRESS = WORDS[ADDRESS_BITS-1:0] - 1'b1;

  (* rom_style = "block" *)   // wide and shallow: in logic it would be the largest part of all
  reg [LANES*WEIGHT_BITS-1:0] words [0:WORDS-1];
  reg [LANES*WEIGHT_BITS-1:0] word_q;
  reg [STEP_BITS-1:0]         step_q;
  reg [ADDRESS_BITS-1:0]      address_q;   // of the step to come
  reg [ADDRESS_BITS-1:0]      channel_q;   // address of the first step of its channel

  assign step_o         = step_q;
  assign first_step_o   = step_q == {STEP_BITS{1'b0}};
  assign last_step_o    = step_q == LAST_STEP;
  assign last_channel_o = address_q == LAST_ADDRESS;
  assign weights_o      = word_q;

  wire window_end = step_en_i & last_step_o;
  wire channel_end = window_end & plane_end_i;
  wire [ADDRESS_BITS-1:0] channel = STEPS == 1 ? address_q : channel_q;
  reg  [ADDRESS_BITS-1:0] address_d;

  always @* begin
    address_d = address_q;
    if (!rst_ni || (channel_end && last_channel_o)) address_d = {ADDRESS_BITS{1'b0}};
    else if (window_end && !plane_end_i) address_d = channel;
    else if (step_en_i) address_d = address_q + 1'b1;
  end

`ifndef FORMAL  // the proofs are for any weights
  initial if (WEIGHT_FILE != "") $readmemh(WEIGHT_FILE, words);
  memory_file #(.FILE(WEIGHT_FILE)) file ();
`endif

  always @(posedge clk_i) begin
    address_q <= address_d;
    word_q    <= words[address_d];
    if (!rst_ni || channel_end) channel_q <= address_d;
    if (!rst_ni) step_q <= {STEP_BITS{1'b0}};
    else if (step_en_i) step_q <= last_step_o ? {STEP_BITS{1'b0}} : step_q + 1'b1;
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // weights, steps, plane ends and resets.

  reg f_running_q = 1'b0;  // a reset lies behind
  reg [ADDRESS_BITS-1:0] f_channel_q;  // planes that ended, modulo CHANNELS

  always @(posedge clk_i) begin
    f_running_q <= 1'b1;
    if (!rst_ni) f_channel_q <= 0;
    else if (channel_end) f_channel_q <= f_channel_q == CHANNELS - 1 ? 0 : f_channel_q + 1;
  end
  always @* assume (f_running_q || !rst_ni);

  // The weights are those of the channel and the step to come, and both count as the header says.
  always @* if (f_running_q) begin
    walk_range: assert (step_q < STEPS && f_channel_q < CHANNELS && address_q < WORDS);
    walk_channel: assert (channel_q == f_channel_q * STEPS);
    walk_address: assert (address_q == f_channel_q * STEPS + step_q);
    walk_word: assert (weights_o == words[address_q]);
    walk_last: assert (!last_step_o || last_channel_o == (f_channel_q == CHANNELS - 1));
  end
`endif

endmodule

`default_nettype wire
