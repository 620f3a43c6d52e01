import Foundation
import TestSupport
import Testing
import ToolSupport

/// Damages a file in Tests/golden repeatedly: `read` must either succeed or fail with a data failure.
///
/// - Parameters:
///   - kind: the kind of files, for the tally: "files of torch.save".
///   - read: returns the failure with which the damaged bytes are rejected.
func expectReadOrRefused(_ name: String, _ kind: String, rounds: Int, _ read: (Data) throws -> Failure?) throws {
    let whole = try Data(contentsOf: URL(filePath: golden(name)))
    var refused = 0, tally = Tally()
    for round in 0..<rounds {
        var random = Effort.random("\(kind) \(name)", round: round)
        let damage = Damage.random(size: whole.count, using: &random), failure = try read(damage.apply(to: whole))
        if failure != nil { refused += 1 }
        #expect(failure.map { [.data, .noInput].contains($0.kind) } ?? true, "\(damage), \(Effort.place(round)): \(String(describing: failure))")
        tally.add("\(damage.kind)")
    }
    #expect(refused > rounds / 10)
    Effort.report("damaged \(kind): \(tally)")
}
