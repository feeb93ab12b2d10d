// Passes the logits of a frame on and adds a last beat: the index of the largest.
//
// Numbers
//   logits   two's complement, LOGIT_BITS
//   label    0 to the number of logits - 1; ties go to the lowest index
// Streams
//   s_axis   the logits of a frame, label 0 first, tlast on the last
//   m_axis   the same logits, then the label, OUT_BITS wide, sign-extended; tlast on the label
// Cycles
//   One a beat, and one for the label: a logit that is taken in cycle 0 is offered in cycle 1, the
//   label in the cycle after the last logit is accepted.
//
// Example: logits -3 7 7 2 (tlast): -3 7 7 2 1 (tlast)

`default_nettype none

module argmax #(
    parameter LOGIT_BITS = 33,
    parameter LABEL_BITS = 2,                      // holds the number of logits - 1
    parameter OUT_BITS   = 33
) (
    input  wire                  clk_i,
    input  wire                  rst_ni,

    input  wire [LOGIT_BITS-1:0] s_axis_tdata,
    input  wire                  s_axis_tvalid,
    output wire                  s_axis_tready,
    input  wire                  s_axis_tlast,

    output wire [OUT_BITS-1:0]   m_axis_tdata,
    output wire                  m_axis_tvalid,
    input  wire                  m_axis_tready,
    output wire                  m_axis_tlast
);

  generate
    if (LOGIT_BITS < 2) begin : g_illegal_logit_bits
      argmax_requires_LOGIT_BITS_of_at_least_2 illegal ();
    end
    if (LABEL_BITS < 1) begin : g_illegal_label_bits
      argmax_requires_LABEL_BITS_of_at_least_1 illegal ();
    end
    if (OUT_BITS < LOGIT_BITS || OUT_BITS <= LABEL_BITS) begin : g_illegal_out_bits
      argmax_requires_OUT_BITS_of_at_least_LOGIT_BITS_and_above_LABEL_BITS illegal ();
    end
  endgenerate

  reg                         first_q;        // the next logit is the first of its frame
  reg                         label_due_q;    // all logits are taken, the label is not yet offered
  reg        [LABEL_BITS-1:0] index_q;        // of the next logit
  reg        [LABEL_BITS-1:0] best_index_q;
  reg signed [LOGIT_BITS-1:0] best_q;
  reg                         out_valid_q;
  reg                         out_last_q;
  reg        [OUT_BITS-1:0]   out_data_q;

  wire advance = ~out_valid_q | m_axis_tready;
  wire take    = s_axis_tvalid & s_axis_tready;
  wire better  = first_q | ($signed(s_axis_tdata) > best_q);

  assign s_axis_tready = advance & ~label_due_q;
  assign m_axis_tvalid = out_valid_q;
  assign m_axis_tlast  = out_last_q;
  assign m_axis_tdata  = out_data_q;

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q     <= 1'b1;
      label_due_q <= 1'b0;
      out_valid_q <= 1'b0;
    end else begin
      if (take) first_q <= s_axis_tlast;
      if (advance) begin
        label_due_q <= take & s_axis_tlast;
        out_valid_q <= take | label_due_q;
      end
    end
  end

  always @(posedge clk_i) begin
    if (take & better) begin
      best_q       <= s_axis_tdata;
      best_index_q <= index_q;
    end
    if (!rst_ni || (take & s_axis_tlast)) index_q <= {LABEL_BITS{1'b0}};
    else if (take) index_q <= index_q + 1'b1;
    if (advance) begin
      out_data_q <= label_due_q
          ? {{(OUT_BITS - LABEL_BITS){1'b0}}, best_index_q}
          : {{(OUT_BITS - LOGIT_BITS + 1){s_axis_tdata[LOGIT_BITS-1]}}, s_axis_tdata[LOGIT_BITS-2:0]};
      out_last_q <= label_due_q;
    end
  end

endmodule

`default_nettype wire
