import Kernels
import Platform
import Testing

/// Checks that `make sanitize` works: it runs these tests, and those of layers and networks, under the address
/// sanitizer.
struct SanitizerTests {
    private static let isHere = dlsym(nil, "__asan_init") != nil

    @Test(.enabled(if: isHere, "these tests were not built with the address sanitizer: make sanitize")) func `reading one float past a buffer, small or large, ends the process`() async {
        await #expect(processExitsWith: .failure) { readPastEnd(3) }
        await #expect(processExitsWith: .failure) { readPastEnd(1 << 20) }
        await #expect(processExitsWith: .failure) { readPastEnd((1 << 20) + 3) }
        await #expect(processExitsWith: .success) { readPastEnd(4, by: -1) }
    }
}

/// Reads the float `distance` + 1 floats after the last one.
private func readPastEnd(_ count: Int, by distance: Int = 0) {
    let buffer = FloatBuffer(count)
    let value = buffer.pointer[count + distance]
    exit(value > 1e30 ? EXIT_FAILURE : EXIT_SUCCESS)
}
