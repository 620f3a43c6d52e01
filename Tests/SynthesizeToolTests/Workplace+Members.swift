import Foundation
import TestSupport

extension Workplace {
    /// The members of all tar files in `name`, in file order, read by tar.
    func members(_ name: String) throws -> [(name: String, bytes: Data)] {
        let list = try run("for f in \(name)/*.tar; do tar tf $f; done").output.split(separator: "\n").map(String.init)
        try run("mkdir unpacked; for f in \(name)/*.tar; do tar xf $f -C unpacked; done")
        defer { try? FileManager.default.removeItem(atPath: path("unpacked")) }
        return try list.map { ($0, try bytes("unpacked/\($0)")) }
    }
}
