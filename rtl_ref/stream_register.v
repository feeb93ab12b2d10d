// A register in a stream: the one handshake that the stages here share.
//
// Streams
//   s_axis  taken while the register is empty or is being emptied, so that a beat may follow a beat
//   m_axis  all of it comes from registers and holds until it is accepted
//   tuser is one bit that goes with a number: its tlast, or whether it is one at all
// Cycles
//   A beat that is taken in cycle 0 is offered in cycle 1. s_axis_tready follows m_axis_tready within
//   the cycle: a stage that moves only while s_axis_tready is high never loses what it holds.
//
// Example: 5 offered in cycles 0 and 1, m_axis_tready high from cycle 2 on: 5 taken in cycle 0, offered
//   in cycles 1 and 2; the second 5 taken in cycle 2, offered in cycle 3.

`default_nettype none

module stream_register #(
    parameter BITS = 8
) (
    input  wire            clk_i,
    input  wire            rst_ni,

    input  wire [BITS-1:0] s_axis_tdata,
    input  wire            s_axis_tvalid,
    output wire            s_axis_tready,
    input  wire            s_axis_tuser,

    output wire [BITS-1:0] m_axis_tdata,
    output wire            m_axis_tvalid,
    input  wire            m_axis_tready,
    output wire            m_axis_tuser
);

  generate
    if (BITS < 1) begin : g_illegal_bits
      stream_register_requires_BITS_of_at_least_1 illegal ();
    end
  endgenerate

  reg            valid_q;
  reg            user_q;
  reg [BITS-1:0] data_q;

  assign s_axis_tready = ~valid_q | m_axis_tready;
  assign m_axis_tvalid = valid_q;
  assign m_axis_tuser  = user_q;
  assign m_axis_tdata  = data_q;

  always @(posedge clk_i) begin
    if (!rst_ni) valid_q <= 1'b0;
    else if (s_axis_tready) valid_q <= s_axis_tvalid;
    if (s_axis_tvalid & s_axis_tready) begin
      user_q <= s_axis_tuser;
      data_q <= s_axis_tdata;
    end
  end

`ifdef FORMAL
  // scripts/prove.py proves the assertions in groups, by the first word of their names: for any
  // beats, gaps, stalls and resets.

  reg f_running_q = 1'b0;  // a reset lies behind

  always @(posedge clk_i) f_running_q <= 1'b1;
  always @* assume (f_running_q || !rst_ni);

  always @(posedge clk_i) if (f_running_q) begin
    // A beat that is offered stays, unchanged, until it is accepted.
    if ($past(rst_ni && m_axis_tvalid && !m_axis_tready))
      streams_hold: assert (m_axis_tvalid && $stable(m_axis_tdata) && $stable(m_axis_tuser));
    // A beat that is taken is offered in the next cycle, and nothing else is.
    else if ($past(rst_ni && s_axis_tvalid && s_axis_tready))
      streams_taken: assert (m_axis_tvalid && m_axis_tdata == $past(s_axis_tdata) &&
                             m_axis_tuser == $past(s_axis_tuser));
    else streams_empty: assert (!m_axis_tvalid);
  end

  // Room is offered to the source just while there is some.
  always @* if (f_running_q)
    streams_ready: assert (s_axis_tready == (!m_axis_tvalid || m_axis_tready));
`endif

endmodule

`default_nettype wire
