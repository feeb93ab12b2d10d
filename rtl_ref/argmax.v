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

  wire advance;
  wire take    = s_axis_tvalid & s_axis_tready;
  wire better  = first_q | ($signed(s_axis_tdata) > best_q);
  wire [OUT_BITS-1:0] label = {{(OUT_BITS - LABEL_BITS){1'b0}}, best_index_q};
  wire [OUT_BITS-1:0] logit =
      {{(OUT_BITS - LOGIT_BITS + 1){s_axis_tdata[LOGIT_BITS-1]}}, s_axis_tdata[LOGIT_BITS-2:0]};

  assign s_axis_tready = advance & ~label_due_q;

  stream_register #(
      .BITS(OUT_BITS)
  ) out (
      .clk_i(clk_i),
      .rst_ni(rst_ni),
      .s_axis_tdata(label_due_q ? label : logit),
      .s_axis_tvalid(take | label_due_q),
      .s_axis_tready(advance),
      .s_axis_tuser(label_due_q),
      .m_axis_tdata(m_axis_tdata),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tuser(m_axis_tlast)
  );

  always @(posedge clk_i) begin
    if (!rst_ni) begin
      first_q     <= 1'b1;
      label_due_q <= 1'b0;
    end else begin
      if (take) first_q <= s_axis_tlast;
      if (advance) label_due_q <= take & s_axis_tlast;
    end
  end

  always @(posedge clk_i) begin
    if (take & better) begin
      best_q       <= s_axis_tdata;
      best_index_q <= index_q;
    end
    if (!rst_ni || (take & s_axis_tlast)) index_q <= {LABEL_BITS{1'b0}};
    else if (take) index_q <= index_q + 1'b1;
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for frames of
  // 1 to 2**LABEL_BITS logits of any value, gaps, stalls, resets, and any f_index.

  (* anyconst *) reg [LABEL_BITS-1:0] f_index;
  reg f_running_q = 1'b0;  // a reset lies behind

  wire f_take = s_axis_tvalid && s_axis_tready;

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);
  always @* assume (!(&index_q) || s_axis_tlast);

  always @(posedge clk_i) if (f_running_q) begin
    // A beat that is offered stays, unchanged, until it is accepted.
    if ($past(rst_ni && m_axis_tvalid && !m_axis_tready)) streams_hold: assert (
        m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tlast));
    // A logit that is taken is offered in the next cycle, and the label when it follows the last one.
    else if ($past(rst_ni && f_take)) streams_logit: assert (
        m_axis_tvalid && !m_axis_tlast && $signed(m_axis_tdata) == $signed($past(s_axis_tdata)));
    else if ($past(rst_ni && label_due_q)) streams_label: assert (m_axis_tvalid && m_axis_tlast);
    else streams_empty: assert (!m_axis_tvalid);
  end

  // The label is the index of a logit of its frame, of the largest, and of the first one of those.
  reg                         f_seen_q;   // the frame has a logit f_index
  reg signed [LOGIT_BITS-1:0] f_logit_q;  // its value

  wire f_open  = !first_q || label_due_q || (m_axis_tvalid && m_axis_tlast);  // best_q counts
  wire f_first = best_q > f_logit_q || (best_q == f_logit_q && best_index_q <= f_index);

  always @(posedge clk_i) if (f_take) begin
    f_seen_q <= index_q == f_index || (f_seen_q && !first_q);
    if (index_q == f_index) f_logit_q <= s_axis_tdata;
  end

  always @* if (f_running_q) begin
    label_start: assert (first_q == (index_q == 0) && (first_q || !label_due_q));
    if (!first_q) label_seen: assert (f_seen_q == (f_index < index_q) && best_index_q < index_q);
    if (f_open && f_seen_q) label_first: assert (f_first);
    if (f_open && f_index == best_index_q) label_real: assert (f_seen_q && f_logit_q == best_q);
    if (m_axis_tvalid && m_axis_tlast) label_value: assert (m_axis_tdata == best_index_q);
    if (m_axis_tvalid && m_axis_tlast && f_index == m_axis_tdata) label_exists: assert (f_seen_q);
  end
`endif

endmodule

`default_nettype wire
