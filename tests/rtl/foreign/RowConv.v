// Convolution of a row with TAPS coefficients, two samples at a time, then ReLU and a right shift;
// keeps the largest sum of all.
`timescale 1ns / 1ps

module RowConv #(
  parameter SW = 4, CW = 3, AW = 7, OW = 4,
  parameter TAPS = 3,
  parameter SH = 2
) (
  input  wire            Clk,
  input  wire            Rst,
  input  wire            Start,
  input  wire [2*SW-1:0] Pair,
  output wire [2*OW-1:0] Results,
  output wire            Done
);

  localparam LAST = TAPS - 1;

  (* width_signal = "row.weight" *) reg signed [CW-1:0] CoefRom [0:TAPS-1];
  reg signed [CW-1:0] CoefReg;
  reg [1:0]           Phase;
  reg [2*SW-1:0]      PairReg;

  initial $readmemb("coef.txt", CoefRom);

  assign Done = Phase == LAST;

  always @(posedge Clk)
    if (Rst || Start || Done)
      Phase <= 0;
    else
      Phase <= Phase + 1;

  always @(posedge Clk) begin
    CoefReg <= CoefRom[Phase];
    PairReg <= Pair;
  end

  genvar k;
  generate
    for (k = 0; k < 2; k = k + 1) begin : Half
      wire signed [SW-1:0]    Pixel = PairReg[k*SW +: SW];
      wire signed [AW-1:0]    Total;
      wire signed [AW-SH-1:0] Scaled;
      reg  signed [AW-1:0]    Best;

      MultAcc #(.SW(SW), .CW(CW), .AW(AW)) Mac (
        .Clk(Clk), .Clear(Rst), .Enable(Start), .Sample(Pixel), .Coef(CoefReg), .Acc(Total)
      );

      assign Scaled = Total[AW-1:SH];
      assign Results[k*OW +: OW] = Positive(Scaled);

      always @(posedge Clk)
        if (Rst || Total > Best)
          Best <= Total;
    end
  endgenerate

  function [OW-1:0] Positive;
    input [AW-SH-1:0] Value;
    Positive = Value[AW-SH-1] ? {OW{1'b0}} : Value[OW-1:0];
  endfunction

endmodule
