import Foundation
import TensorStreams
import TestSupport
import Testing

extension Workplace {
    /// A folder with 96 drawn training images and 32 test images of 4 classes: `pictures/train`, `pictures/test`.
    static func images() throws -> Workplace {
        let place = try Workplace()
        try #require(try place.run("synthesize --classes 4 --train 96 --test 32 --size 24 -q -o pictures").status == 0)
        return place
    }

    /// The command that distils the smallest networks in the run `name`, as a user types it.
    func make(_ name: String, _ settings: String = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test") -> String {
        """
            make --no-print-directory -C '\(Self.root)' distill BUILD=no RUNS=$PWD/runs NAME=\(name) SIZE=16 EMBEDDING=16 BATCH=16 QUEUE=32 \
            STUDENT=tiny-resnet10 EPOCHS=2 TEACHER_NETWORK=tiny-resnet10 TEACHER_OBJECTIVE=supervised-contrastive TEACHER_BATCH=16 \
            TEACHER_EPOCHS=1 \(settings)
            """
    }

    /// Every file of a run that must be the same for the same settings.
    ///
    /// These are networks, features and evaluations, without links to them and without files that exist only during an
    /// epoch.
    func results(_ name: String) throws -> [String: Data] {
        guard exists("runs/\(name)") else { return [:] }
        let names = try contents("runs/\(name)").filter { file in
            (file.hasSuffix(".safetensors") || file.hasSuffix(".tensors.zst") || file.hasPrefix("evaluation/") && file.hasSuffix(".json"))
                && file != "teacher.safetensors" && !file.contains(".interim.") && !file.hasPrefix("tap/") && !file.hasPrefix("data/") && !file.hasPrefix("pictures/")
        }
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try bytes("runs/\(name)/\($0)")) })
    }

    /// Expects the ``results(_:)`` of a run to be those of another.
    func expectSame(_ name: String, _ other: String) throws {
        let (found, expected) = (try results(name), try results(other))
        #expect(found.keys.sorted() == expected.keys.sorted() && !expected.isEmpty)
        for (file, bytes) in expected {
            let same = found[file] == bytes
            #expect(same, "\(name): \(file)")
        }
    }

    /// Starts a run and asks it to stop in its student's first epoch.
    ///
    /// - Returns: whether it has saved the epoch: the signal may come after the epoch.
    func isStoppedInEpoch(_ name: String, _ settings: String) throws -> Bool {
        try perform("rm -rf runs/\(name)")
        let run = try start(make(name, settings))
        _ = waitUntil(seconds: 60) { run.isOver || (try? text("runs/\(name)/log/student.1.jsonl").isEmpty) == false }
        run.end(by: SIGTERM)
        let status = run.wait()
        return status != 0 && exists("runs/\(name)/student.1.interim.safetensors")
    }

    /// Whether a partial epoch of the run is saved.
    func hasInterim(_ name: String) -> Bool { (try? FileManager.default.contentsOfDirectory(atPath: path("runs/\(name)")))?.contains { $0.contains(".interim.") } ?? false }

    /// When each file of ``results(_:)`` was written.
    func times(_ name: String) throws -> [String: Date] {
        try Dictionary(uniqueKeysWithValues: results(name).keys.map { file in
            let attributes = try FileManager.default.attributesOfItem(atPath: path("runs/\(name)/\(file)"))
            return (file, try #require(attributes[.modificationDate] as? Date))
        })
    }

    /// The work that plan announces, such as "student.3 … student.4, student, table".
    func toDo(_ result: Result) -> String? {
        result.error.split(separator: "\n").first { $0.hasPrefix("  to do") }.map { String($0.dropFirst(15)) }
    }
}
