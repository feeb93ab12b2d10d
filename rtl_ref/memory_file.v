// Stops a simulation in which a memory file is missing or belongs to another network: $readmemh alone
// only warns, and the machine computes with zeros.
//
// FILE is a file of golden.exports.mem, whose first line names the network that it was made for. NETWORK is the
// digest of the network that it must be for; 0 leaves that open. Synthesis sees nothing of this; its
// $readmemh is an error by itself.
//
// Example: FILE = "fc1.mem", no such file: fc1.mem: no such memory file, and the simulator ends with
// an exit status other than 0

`default_nettype none

module memory_file #(
    parameter FILE    = "",
    parameter NETWORK = 256'd0
) ();

`ifndef SYNTHESIS
  integer     handle;
  reg [255:0] found;

  initial begin
    found  = 256'd0;
    handle = $fopen(FILE, "r");
    if (handle == 0) begin
      $display("%m: %0s: no such memory file", FILE);
      $fatal(1);
    end
    if (NETWORK != 256'd0) begin
      if ($fscanf(handle, "// network: %h", found) != 1) found = 256'd0;
      if (found != NETWORK) begin
        $display("%m: %0s: expected a memory of network %h, got %h", FILE, NETWORK, found);
        $fatal(1);
      end
    end
    $fclose(handle);
  end
`endif

endmodule

`default_nettype wire
