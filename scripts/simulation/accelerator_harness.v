// Runs fingerprints through the accelerator in Icarus and writes down every value of every layer with
// the cycle in which it appeared: the twin of accelerator_harness.cpp, with the same files and flags.
//
//   vvp simulator +frames=FILE +count=N +beats=N +folder=DIR +gap=PERCENT +stall=PERCENT +seed=N
//       +patience=N +first=CYCLE +end=CYCLE +sums=0|1
//
// FILE holds decimal numbers, COUNT frames of BEATS. Each stream becomes DIR/<stream>.txt, a line a
// value: value, cycle. A value with an unknown bit is written as x. The cycles from FIRST up to END,
// if there are any, go into DIR/waves.fst (with vvp -fst). With sums the accumulators are recorded
// after every addition, too: DIR/<layer>_sums.txt. With NETLIST defined, only the ports of
// the top are there to be recorded.

`timescale 1ns / 1ps
`default_nettype none

module accelerator_harness #(
`include "kws_accelerator.vh"
);

  reg clk = 1'b0;
  reg rst_n = 1'b0;
  reg [(WINDOW_MEMORY_DATA_BITS + 7) / 8*8-1:0] s_tdata = 0;
  reg s_tvalid = 1'b0;
  reg s_tlast = 1'b0;
  reg m_tready = 1'b0;
  wire s_tready;
  wire [(ARGMAX_OUT_BITS + 7) / 8*8-1:0] m_tdata;
  wire m_tvalid;
  wire m_tlast;
  wire frame_error;

  kws_accelerator dut (
      .clk_i(clk),
      .rst_ni(rst_n),
      .s_axis_tdata(s_tdata),
      .s_axis_tvalid(s_tvalid),
      .s_axis_tready(s_tready),
      .s_axis_tlast(s_tlast),
      .m_axis_tdata(m_tdata),
      .m_axis_tvalid(m_tvalid),
      .m_axis_tready(m_tready),
      .m_axis_tlast(m_tlast),
      .frame_error_o(frame_error)
  );

  reg [8*1024-1:0] frames_file, folder;
  integer beats, gap, stall, seed, frames, number, scanned, answers;
  reg signed [63:0] patience, first, last, cycle, quiet, sent;
  integer taken, errors, out, lasts, conv_1, conv_1_relu, dw_conv, max_pool, pw_conv, pw_conv_relu, fc1;
  integer sums, conv_1_sums, dw_conv_sums, pw_conv_sums, fc1_sums;
  reg more, offering, waves;
  reg conv_1_added = 1'b0, dw_conv_added = 1'b0;  // in the cycle before

  // A pseudo-random event that happens in `percent` of the calls.
  function roll(input integer percent);
    roll = percent > 0 && $unsigned($random(seed)) % 100 < percent;
  endfunction

  task write(input integer file, input signed [63:0] value);
    if (^value === 1'bx) $fwrite(file, "x %0d\n", cycle);
    else $fwrite(file, "%0d %0d\n", value, cycle);
  endtask

  task fetch;
    begin
      scanned = $fscanf(frames, "%d", number);
      more = scanned == 1;
    end
  endtask

  function integer created(input [8*16-1:0] name);
    begin
      created = $fopen($sformatf("%0s/%0s.txt", folder, name), "w");
      if (created == 0) $fatal(1, "%0s/%0s.txt: cannot be written", folder, name);
    end
  endfunction

  task record;
    begin
      if (frame_error !== 1'b0) write(errors, frame_error);
      if (s_tvalid && s_tready !== 1'b0) write(taken, s_tready === 1'b1 ? $signed(s_tdata) : 64'sbx);
      if (m_tvalid !== 1'b0 && m_tready) begin
        write(out, m_tvalid === 1'b1 ? $signed(m_tdata) : 64'sbx);
        if (m_tlast !== 1'b0) write(lasts, m_tlast);
      end
`ifndef NETLIST
      if (dut.first_conv.advance) begin
        if (dut.first_conv.sum_valid && !dut.first_conv.sum_flush)
          write(conv_1, $signed(dut.first_conv.sum));
        if (dut.first_conv.m_axis_tvalid && !dut.first_conv.m_axis_tuser)
          write(conv_1_relu, dut.first_conv.m_axis_tdata);
      end
      if (dut.dw_conv.advance) begin
        if (dut.dw_conv.sum_valid) write(dw_conv, $signed(dut.dw_conv.sum));
        if (dut.dw_conv.m_axis_tvalid) write(max_pool, dut.dw_conv.m_axis_tdata);
      end
      if (dut.pw_conv.complete && dut.pw_conv.advance) write(pw_conv, $signed(dut.pw_conv.sum));
      if (dut.pw_conv.m_axis_tvalid && dut.fully_connected.s_axis_tready)
        write(pw_conv_relu, dut.pw_conv.m_axis_tdata);
      if (dut.fully_connected.complete && dut.fully_connected.advance) write(fc1, $signed(dut.fully_connected.sum));
      if (sums != 0) record_sums;
`endif
    end
  endtask

`ifndef NETLIST
  task record_sums;
    begin
      if (conv_1_added) write(conv_1_sums, $signed(dut.first_conv.sum));
      if (dw_conv_added) write(dw_conv_sums, $signed(dut.dw_conv.sum));
      if (dut.pw_conv.accumulate_en) write(pw_conv_sums, $signed(dut.pw_conv.sum));
      if (dut.fully_connected.accumulate_en) write(fc1_sums, $signed(dut.fully_connected.sum));
      conv_1_added = dut.first_conv.advance & dut.first_conv.mac.product_valid_q
          & ~dut.first_conv.mac.product_marks_q;
      dw_conv_added = dut.dw_conv.advance & dut.dw_conv.mac.product_valid_q;
    end
  endtask
`endif

  initial begin
    if (!$value$plusargs("frames=%s", frames_file) || !$value$plusargs("folder=%s", folder)
        || !$value$plusargs("beats=%d", beats) || !$value$plusargs("gap=%d", gap)
        || !$value$plusargs("stall=%d", stall) || !$value$plusargs("seed=%d", seed)
        || !$value$plusargs("patience=%d", patience) || !$value$plusargs("count=%d", answers)
        || !$value$plusargs("first=%d", first) || !$value$plusargs("end=%d", last)
        || !$value$plusargs("sums=%d", sums))
      $fatal(1, "expected frames, count, beats, folder, gap, stall, seed, patience, first, end, sums");
    waves = last > first;
    frames = $fopen($sformatf("%0s", frames_file), "r");
    if (frames == 0) $fatal(1, "%0s: cannot be read", frames_file);
    taken = created("taken");
    errors = created("errors");
    out = created("out");
    lasts = created("last");
    conv_1 = created("conv_1");
    conv_1_relu = created("conv_1_relu");
    dw_conv = created("dw_conv");
    max_pool = created("max_pool");
    pw_conv = created("pw_conv");
    pw_conv_relu = created("pw_conv_relu");
    fc1 = created("fc1");
    conv_1_sums = created("conv_1_sums");
    dw_conv_sums = created("dw_conv_sums");
    pw_conv_sums = created("pw_conv_sums");
    fc1_sums = created("fc1_sums");
    if (waves) begin
      $dumpfile($sformatf("%0s/waves.fst", folder));
      $dumpvars(0, dut);
      $dumpoff;
    end

    repeat (3) begin
      #5 clk = 1'b1;
      #5 clk = 1'b0;
    end
    rst_n = 1'b1;
    fetch;
    offering = 1'b0;
    sent = 0;
    quiet = 0;
    for (cycle = 0; answers > 0 && quiet < patience; cycle = cycle + 1) begin
      if (waves && cycle == first) $dumpon;
      if (waves && cycle == last) $dumpoff;
      if (!offering) offering = more && !roll(gap);
      s_tvalid = offering;
      s_tdata = number[(WINDOW_MEMORY_DATA_BITS + 7) / 8*8-1:0];
      s_tlast = sent % beats == beats - 1;
      m_tready = !roll(stall);
      #5 record;
      quiet = quiet + 1;
      if (m_tvalid === 1'b1 && m_tready) begin
        quiet = 0;
        if (m_tlast === 1'b1) answers = answers - 1;
      end
      if (offering && s_tready === 1'b1) begin
        quiet = 0;
        offering = 1'b0;
        sent = sent + 1;
        fetch;
      end
      clk = 1'b1;
      #5 clk = 1'b0;
    end
    $finish(0);
  end

endmodule

`default_nettype wire
