import Platform
import TensorStreams
public import ToolSupport

/// The latest checkpoint of a run's student that matches the current settings, images and teacher. A nightly evaluation
/// evaluates it.
///
/// It does not wait for processes that work on the run, and writes nothing to the run except the hashes of images that
/// had to be read.
public struct NewestCheckpoint: Sendable {
    public let run: String
    /// `student`, or the name of the network if there are several students.
    public let network: String
    public let epoch: Int
    public let epochs: Int
    /// A hash of all inputs of the evaluation: data, options, teacher, student, and the bytes of the programs that
    /// evaluate it.
    public let identity: String
    /// A hash of the images it is evaluated on, and how they are prepared.
    public let test: String
    /// `knn`, or `quality` without labels.
    public let protocolName: String

    private let folder: String
    private let tools: String
    /// The file of its weights in the run's folder.
    private let weights: String
    private let parts: [String]
    /// The current option files for features. Those in the folder of an older run may differ.
    private let options: [String: [String]]
    /// The command that makes the teacher's features, if they are needed for comparison.
    private let embedsTeacher: String?

    /// The names of the runs in a folder.
    public static func runs(in folder: String) -> [String] { RunFolder.names(in: folder) }

    /// The checkpoints of a run's students.
    ///
    /// - Parameters:
    ///   - runs: the folder that contains the run.
    ///   - tools: the folder of the tools.
    ///   - code: a hash of the tools (``code(in:)``).
    ///   - pipelines: the folder of make's fragments.
    /// - Returns: the checkpoints, and messages about students without one, or without their latest one.
    /// - Throws: ``Failure`` if the run is no longer valid: its images or teacher are gone, or no longer fit together.
    public static func all(of run: String, in runs: String, tools: String, code: String, pipelines: String, _ supervision: ProgramSupervision) throws -> (found: [NewestCheckpoint], missing: [String]) {
        let environment = try StageEnvironment(tools: tools, pipelines: pipelines)
        let preparation = try Preparation(MakeFlags(["NAME": run, "RUNS": runs]), environment, .any, supervision) { _, _, _ in }
        let work = Work(preparation.run.stages, goals: [], folder: preparation.folder.path), students = preparation.run.students
        // Hashes of images that were read again save time in the next night.
        preparation.keepHashes()
        func isWhole(_ stage: String) -> Bool {
            var record = work.done[stage]
            return record?.condition(in: preparation.folder.path) == .whole
        }
        var found: [NewestCheckpoint] = [], missing: [String] = []
        for student in students {
            let network = students.count == 1 ? "student" : student.network
            let damaged = work.damaged.compactMap { StageName($0.stage).epoch(of: student.name) }.max()
            if let epoch = (1...preparation.run.epochs).last(where: { isWhole("\(student.name).\($0)") }) {
                if let damaged, damaged > epoch { missing.append("\(run), \(network): the checkpoint of epoch \(damaged) is damaged, so that of epoch \(epoch) is evaluated; make distill NAME=\(run) rebuilds it") }
                found.append(NewestCheckpoint(run, network, student, epoch, preparation, work, environment, code))
            } else {
                let isOutdated = (1...preparation.run.epochs).contains { StageRecord(reading: "\(student.name).\($0)", in: preparation.folder.path) != nil }
                missing.append(
                    "\(run), \(network): " + (isOutdated ? "trained with other images, another teacher or other options than the current ones; make distill NAME=\(run) trains it again" : "no epoch is done yet"))
            }
        }
        return (found, missing)
    }

    private init(
        _ run: String, _ network: String, _ student: Student, _ epoch: Int, _ preparation: Preparation, _ work: Work, _ environment: StageEnvironment, _ code: String
    ) {
        (self.run, self.network, self.epoch) = (run, network, epoch)
        epochs = preparation.run.epochs
        let judgement = preparation.run.judgement, name = "\(student.name).\(epoch)", options = preparation.run.options
        self.options = options.filter { $0.key.hasPrefix("features.") }
        protocolName = judgement.quickest
        parts = judgement.parts
        (folder, tools, weights) = (preparation.folder.path, environment.tools, "\(name).safetensors")
        let images = [preparation.train?.identity ?? "", preparation.test?.identity ?? ""] + (options["pictures"] ?? []), made = judgement.parts.flatMap { ["features.\($0)"] + (options["features.\($0)"] ?? []) }
        test = XXH64.of(["test", judgement.quickest] + images + made)
        identity = XXH64.of([work.expected[name]?.fingerprint ?? "", code, test] + preparation.run.teacherWords)
        let isCompared = !judgement.isByLabels && preparation.settings.teacherOrigin != .none
        // A teacher that the run trains exists once it is trained.
        let teacher = preparation.settings.trainsTeacher ? "teacher.\(preparation.run.teacherEpochs).safetensors" : "teacher.safetensors"
        embedsTeacher = !isCompared ? nil
            : preparation.settings.teacherOrigin == .program ? "embed @options/teacher.embed --as features" : "embed --weights \(teacher) --features"
    }

    /// A hash of the programs that evaluate networks.
    ///
    /// - Throws: ``Failure`` if one is missing.
    public static func code(in tools: String) throws -> String {
        var hash = XXH64()
        for name in ["augment", "embed", "evaluate"] {
            guard let bytes = try TextFile.bytes("\(tools)/\(name)") else { throw Failure(.noInput, path: "\(tools)/\(name)", "does not exist", remedy: "run make build") }
            unsafe bytes.withUnsafeBytes { unsafe hash.update($0) }
        }
        return hash.text
    }

    /// Evaluates the checkpoint as its run would, but anew, because the run may have used other programs.
    ///
    /// - Parameter work: a folder for intermediate files, as an absolute path.
    /// - Returns: the path of the result of `evaluate`.
    /// - Throws: ``Failure`` if it does not work, with the tool's message.
    public func judge(in work: String) throws -> String {
        func made(_ name: String) -> String { "\"$2\"/\(name).tensors.zst" }
        for (name, words) in options { try TextFile.write(words.map { $0 + "\n" }.joined(), to: "\(work)/\(name)") }
        func features(_ name: String, _ part: String, _ embed: String) -> String { "augment @\"$2\"/features.\(part) --quiet | \(embed) --drop images --quiet -o \(made(name))" }
        // A run in progress may remove the checkpoint at any time.
        var script = ["cd \"$1\"", "ln \(weights) \"$2\"/weights.safetensors 2> /dev/null || cp \(weights) \"$2\"/weights.safetensors"]
            + parts.map { features($0, $0, "embed --weights \"$2\"/weights.safetensors --features") }
        if let embedsTeacher { script.append(features("teacher", "train", embedsTeacher)) }
        let result = "\(work)/result.json"
        if protocolName == "quality" {
            script.append("evaluate quality \(made("train")) \(embedsTeacher == nil ? "" : "--teacher \(made("teacher"))") --quiet -o \"$2\"/result.json")
        } else {
            script.append("evaluate knn --train \(made("train")) --test \(made("test")) --quiet -o \"$2\"/result.json")
        }
        let text = "PATH=\"$3\":$PATH; export PATH; " + script.joined(separator: "; ")
        let (status, said) = try ChildProcess.run(["/bin/bash", "-eu", "-o", "pipefail", "-c", text, "nightly", folder, work, tools])
        guard status == 0 else { throw Failure(.data, path: folder, "cannot be evaluated: \(said.printable)", remedy: "make stage NAME=\(run) runs its stages one by one") }
        return result
    }
}
