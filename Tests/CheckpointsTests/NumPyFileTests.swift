import Checkpoints
import Foundation
import TensorStreams
import TestSupport
import Testing
import ToolSupport

/// NumPy archives.
@Suite struct NumPyFileTests {
    let folder: Workplace

    init() throws { folder = try Workplace() }

    @Test(arguments: ["arrays.npz", "arrays-deflated.npz"])
    func `every array has the numbers that NumPy saved, whatever its type and order`(name: String) throws {
        let file = try NumPyFile(golden(name)), expected = try DocumentFile.read(golden("arrays-expected.safetensors"))
        #expect(Set(file.outline.names) == Set(expected.names))
        let found = try file.read(Set(file.outline.names))
        for name in expected.names { #expect(found.tensors[name] == expected.tensors[name], "\(name)") }
        #expect(try file.read(["one"]).names == ["one"])
    }

    @Test(arguments: ["arrays.npz", "arrays-deflated.npz"])
    func `a damaged archive is read or refused, and nothing else`(name: String) throws {
        try expectReadOrRefused(name, "archives of NumPy", rounds: Effort.rounds(200, long: 10_000)) { bytes in
            try folder.write(bytes, to: "x.npz")
            return TestSupport.failure {
                let file = try NumPyFile(folder.path("x.npz"))
                _ = try file.read(Set(file.outline.names))
            }
        }
    }
}
