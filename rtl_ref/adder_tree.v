// Sum of INPUTS two's-complement numbers of BITS bits as a balanced tree, combinational.
//
//   sum_o = (term[0] + term[1] + ... + term[INPUTS-1]) modulo 2**BITS, term[0] in the lowest bits
//
// The sum is exact where it fits in BITS bits; what happens to fit nowhere on the way does no harm,
// because two's complement wraps.
//
// Example: INPUTS = 3, BITS = 4, terms 7, -3, 2: (7) + (-3 + 2) = 6

`default_nettype none

module adder_tree #(
    parameter INPUTS = 16,
    parameter BITS   = 14
) (
    input  wire [INPUTS*BITS-1:0] terms_i,
    output wire [BITS-1:0]        sum_o
);

  localparam LOW  = INPUTS / 2;
  localparam HIGH = INPUTS - LOW;

  generate
    if (INPUTS < 1) begin : g_illegal_inputs
      adder_tree_requires_INPUTS_of_at_least_1 illegal ();
    end
    if (INPUTS == 1) begin : g_leaf
      assign sum_o = terms_i;
    end else begin : g_node
      wire [BITS-1:0] low;
      wire [BITS-1:0] high;

      adder_tree #(
          .INPUTS(LOW),
          .BITS(BITS)
      ) low_half (
          .terms_i(terms_i[LOW*BITS-1:0]),
          .sum_o(low)
      );

      adder_tree #(
          .INPUTS(HIGH),
          .BITS(BITS)
      ) high_half (
          .terms_i(terms_i[INPUTS*BITS-1:LOW*BITS]),
          .sum_o(high)
      );

      assign sum_o = low + high;
    end
  endgenerate

endmodule

`default_nettype wire
