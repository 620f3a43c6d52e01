import Foundation
import Kernels
import Testing

struct MachineKindTests {
    /// OpenBLAS itself would use SSE3 on a processor that is newer than the library.
    @Test func openBLASHasTheKernelsOfWhatTheProcessorCanDo() throws {
        guard ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"] == nil, let facts = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return }
        let flags = Set(facts.split(separator: "\n").first { $0.hasPrefix("flags") }?.split(separator: " ").map(String.init) ?? [])
        if flags.isSuperset(of: ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"]) {
            #expect(MachineKind.name == "SkylakeX")
        } else if flags.isSuperset(of: ["avx2", "fma"]) {
            #expect(MachineKind.name == "Haswell")
        }
    }
}
