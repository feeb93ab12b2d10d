// Multiplies a sample by a coefficient and adds it up. Port list in the manner of Verilog-1995.
module MultAcc (Clk, Clear, Enable, Sample, Coef, Acc);
  parameter SW = 8;
  parameter CW = 8;
  parameter AW = 20;

  input                  Clk, Clear, Enable;
  input  signed [SW-1:0] Sample;
  input  signed [CW-1:0] Coef;
  output signed [AW-1:0] Acc;

  reg  signed [AW-1:0]    Acc;
  wire signed [SW+CW-2:0] Prod;

  assign Prod = Sample * Coef;

  always @(posedge Clk or posedge Clear)
    if (Clear)
      Acc <= 0;
    else if (Enable)
      Acc <= Acc + Prod;
endmodule
