// Runs fingerprints through the accelerator that Verilator compiled, and writes down every value of
// every layer with the cycle in which it appeared. Compared with the reference elsewhere; this only
// drives and records.
//
//   harness FRAMES_FILE BEATS OUTPUT_FOLDER GAP_PERCENT STALL_PERCENT SEED PATIENCE FIRST END SUMS
//
// FRAMES_FILE holds int8 numbers, BEATS to a frame. Each stream becomes OUTPUT_FOLDER/<stream>.bin,
// pairs of int64: value, cycle. Cycle 0 is the first after reset. The run ends when every frame has
// its answer; if no beat passes for PATIENCE cycles it ends there, and what is missing is missing.
// With SUMS 1 the accumulators are recorded after every addition, too: <layer>_sums.bin.
// With NETLIST defined, only the ports of the top are there to be recorded. With TRACE_FST or
// TRACE_VCD defined, the cycles from FIRST up to END go into OUTPUT_FOLDER/waves.fst or waves.vcd.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "Vkws_accelerator.h"
#ifndef NETLIST
#include "Vkws_accelerator___024root.h"
#define INSIDE(instance, signal) root.kws_accelerator__DOT__##instance##__DOT__##signal
#endif
#if defined(TRACE_FST)
#include "verilated_fst_c.h"
using Trace = VerilatedFstC;
#define TRACE_FILE "/waves.fst"
#elif defined(TRACE_VCD)
#include "verilated_vcd_c.h"
using Trace = VerilatedVcdC;
#define TRACE_FILE "/waves.vcd"
#endif
#include "verilated.h"

namespace {

struct Record {
    int64_t value;
    int64_t cycle;
};

class Stream {
  public:
    Stream(const std::string &folder, const char *name)
        : file_(std::fopen((folder + "/" + name + ".bin").c_str(), "wb")) {
        if (file_ == nullptr) {
            std::fprintf(stderr, "%s/%s.bin: cannot be written\n", folder.c_str(), name);
            std::exit(1);
        }
    }
    ~Stream() { std::fclose(file_); }
    Stream(const Stream &) = delete;
    Stream &operator=(const Stream &) = delete;

    void add(int64_t value, uint64_t cycle) {
        const Record record{value, static_cast<int64_t>(cycle)};
        std::fwrite(&record, sizeof record, 1, file_);
    }

  private:
    std::FILE *file_;
};

// The `bits` lowest bits of `raw`, 1 to 64, as a two's-complement number.
int64_t as_signed(uint64_t raw, int bits) {
    return static_cast<int64_t>(raw << (64 - bits)) >> (64 - bits);
}

std::vector<int8_t> read_file(const char *path) {
    std::FILE *file = std::fopen(path, "rb");
    if (file == nullptr) {
        std::fprintf(stderr, "%s: cannot be read\n", path);
        std::exit(1);
    }
    std::vector<int8_t> bytes;
    int8_t buffer[1 << 16];
    size_t count;
    while ((count = std::fread(buffer, 1, sizeof buffer, file)) > 0)
        bytes.insert(bytes.end(), buffer, buffer + count);
    std::fclose(file);
    return bytes;
}

}  // namespace

int main(int argc, char **argv) {
    if (argc != 11) {
        std::fprintf(stderr, "expected 10 arguments, got %d\n", argc - 1);
        return 1;
    }
    const std::vector<int8_t> numbers = read_file(argv[1]);
    const size_t beats = std::strtoul(argv[2], nullptr, 10);
    const std::string folder = argv[3];
    const unsigned gap_percent = std::strtoul(argv[4], nullptr, 10);
    const unsigned stall_percent = std::strtoul(argv[5], nullptr, 10);
    std::mt19937 random(std::strtoul(argv[6], nullptr, 10));
    const uint64_t patience = std::strtoull(argv[7], nullptr, 10);
    const uint64_t first_traced = std::strtoull(argv[8], nullptr, 10);
    const uint64_t end_traced = std::strtoull(argv[9], nullptr, 10);
    const bool with_sums = std::strtoul(argv[10], nullptr, 10) != 0;
    const size_t frames = numbers.size() / beats;

    const auto context = std::make_unique<VerilatedContext>();
    const auto top = std::make_unique<Vkws_accelerator>(context.get());
#ifdef TRACE_FILE
    context->traceEverOn(true);
    const auto trace = std::make_unique<Trace>();
    top->trace(trace.get(), 99);
    trace->open((folder + TRACE_FILE).c_str());
#endif
    Stream taken(folder, "taken"), errors(folder, "errors"), out(folder, "out"), last(folder, "last");
#ifndef NETLIST
    const auto &root = *top->rootp;
    Stream conv_1(folder, "conv_1"), conv_1_relu(folder, "conv_1_relu"), dw_conv(folder, "dw_conv"),
        max_pool(folder, "max_pool"), pw_conv(folder, "pw_conv"),
        pw_conv_relu(folder, "pw_conv_relu"), fc1(folder, "fc1");
    Stream conv_1_sums(folder, "conv_1_sums"), dw_conv_sums(folder, "dw_conv_sums"),
        pw_conv_sums(folder, "pw_conv_sums"), fc1_sums(folder, "fc1_sums");
    bool conv_1_added = false, dw_conv_added = false;  // in the cycle before
#else
    (void)with_sums;
#endif

    const auto roll = [&random](unsigned percent) { return percent > 0 && random() % 100 < percent; };
    // A picture of the cycle: settled values while the clock is low, then its rising edge.
    const auto dump = [&](uint64_t cycle) {
#ifdef TRACE_FILE
        if (cycle >= first_traced && cycle < end_traced) trace->dump(10 * cycle + (top->clk_i ? 5 : 0));
#else
        (void)cycle, (void)first_traced, (void)end_traced;
#endif
    };

    top->clk_i = 0;
    top->rst_ni = 0;
    top->s_axis_tvalid = 0;
    top->s_axis_tdata = 0;
    top->s_axis_tlast = 0;
    top->m_axis_tready = 0;
    for (int i = 0; i < 3; ++i) {
        top->eval();
        top->clk_i = 1;
        top->eval();
        top->clk_i = 0;
    }
    top->rst_ni = 1;

    size_t next = 0, answers = 0;
    bool offering = false;
    uint64_t last_beat = 0;
    for (uint64_t cycle = 0; answers < frames && cycle - last_beat < patience; ++cycle) {
        if (!offering) offering = next < numbers.size() && !roll(gap_percent);
        top->s_axis_tvalid = offering;
        if (offering) {
            top->s_axis_tdata = numbers[next] & ((1 << INPUT_BITS) - 1);
            top->s_axis_tlast = next % beats == beats - 1;
        }
        top->m_axis_tready = !roll(stall_percent);
        top->eval();
        dump(cycle);
        if (top->frame_error_o) errors.add(1, cycle);
        if (offering && top->s_axis_tready) {
            taken.add(numbers[next], cycle);
            offering = false;
            ++next;
            last_beat = cycle;
        }
        if (top->m_axis_tvalid && top->m_axis_tready) {
            out.add(as_signed(top->m_axis_tdata, OUTPUT_BITS), cycle);
            if (top->m_axis_tlast) {
                last.add(1, cycle);
                ++answers;
            }
            last_beat = cycle;
        }
#ifndef NETLIST
        if (INSIDE(first_conv, advance)) {
            if (INSIDE(first_conv, sum_valid) && !INSIDE(first_conv, sum_flush))
                conv_1.add(as_signed(INSIDE(first_conv, sum), CONV_1_BITS), cycle);
            if (INSIDE(first_conv, m_axis_tvalid) && !INSIDE(first_conv, m_axis_tuser))
                conv_1_relu.add(INSIDE(first_conv, m_axis_tdata), cycle);
        }
        if (INSIDE(dw_conv, advance)) {
            if (INSIDE(dw_conv, sum_valid))
                dw_conv.add(as_signed(INSIDE(dw_conv, sum), DW_CONV_BITS), cycle);
            if (INSIDE(dw_conv, m_axis_tvalid)) max_pool.add(INSIDE(dw_conv, m_axis_tdata), cycle);
        }
        if (INSIDE(pw_conv, complete) && INSIDE(pw_conv, advance))
            pw_conv.add(as_signed(INSIDE(pw_conv, sum), PW_CONV_BITS), cycle);
        if (INSIDE(pw_conv, m_axis_tvalid) && INSIDE(fully_connected, s_axis_tready))
            pw_conv_relu.add(INSIDE(pw_conv, m_axis_tdata), cycle);
        if (INSIDE(fully_connected, complete) && INSIDE(fully_connected, advance))
            fc1.add(as_signed(INSIDE(fully_connected, sum), FC1_BITS), cycle);
        if (with_sums) {
            if (conv_1_added)
                conv_1_sums.add(as_signed(INSIDE(first_conv, sum), CONV_1_BITS), cycle);
            if (dw_conv_added)
                dw_conv_sums.add(as_signed(INSIDE(dw_conv, sum), DW_CONV_BITS), cycle);
            if (INSIDE(pw_conv, accumulate_en))
                pw_conv_sums.add(as_signed(INSIDE(pw_conv, sum), PW_CONV_BITS), cycle);
            if (INSIDE(fully_connected, accumulate_en))
                fc1_sums.add(as_signed(INSIDE(fully_connected, sum), FC1_BITS), cycle);
            conv_1_added = INSIDE(first_conv, advance) && INSIDE(first_conv__DOT__mac, product_valid_q) &&
                           !INSIDE(first_conv__DOT__mac, product_marks_q);
            dw_conv_added = INSIDE(dw_conv, advance) && INSIDE(dw_conv__DOT__mac, product_valid_q);
        }
#endif
        top->clk_i = 1;
        top->eval();
        dump(cycle);
        top->clk_i = 0;
    }
    top->final();
#ifdef TRACE_FILE
    trace->close();
#endif
    return 0;
}
