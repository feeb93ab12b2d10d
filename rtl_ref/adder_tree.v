// Sum of INPUTS two's-complement numbers of BITS bits as a balanced tree, combinational.
//
//   sum_o = (term[0] + term[1] + ... + term[INPUTS-1]) modulo 2**BITS, term[0] in the lowest bits
//
// The sum is exact where it fits in BITS bits; what happens to fit nowhere on the way does no harm,
// because two's complement wraps.
//
// Example: INPUTS = 3, BITS = 4, terms 7, -3, 2: first 7 + -3 = 4 and 2, then 4 + 2 = 6

`default_nettype none

module adder_tree #(
    parameter INPUTS = 16,
    parameter BITS   = 14
) (
    input  wire [INPUTS*BITS-1:0] terms_i,
    output wire [BITS-1:0]        sum_o
);

  generate
    if (INPUTS < 1) begin : g_illegal_inputs
      adder_tree_requires_INPUTS_of_at_least_1 illegal ();
    end
    if (BITS < 1) begin : g_illegal_bits
      adder_tree_requires_BITS_of_at_least_1 illegal ();
    end
  endgenerate

  // Level by level, each sum at the place of its first term: neighbours at distance 1, 2, 4, ...
  reg [INPUTS*BITS-1:0] sums;
  integer distance, place;

  always @* begin
    sums = terms_i;
    for (distance = 1; distance < INPUTS; distance = 2 * distance)
      for (place = 0; place + distance < INPUTS; place = place + 2 * distance)
        sums[place*BITS +: BITS] = sums[place*BITS +: BITS] + sums[(place+distance)*BITS +: BITS];
  end

  assign sum_o = sums[BITS-1:0];

endmodule

`default_nettype wire
