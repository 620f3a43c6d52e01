import Networks
import Objectives

/// A setting of `make distill`, as the user types it: `EPOCHS=24`.
public struct Setting: Sendable {
    /// The type of a value.
    enum Kind: Sendable {
        /// A file or folder that must exist; empty for none.
        case path
        /// A whole number.
        case count(ClosedRange<Int>)
        /// A whole number, or empty for the default described in its help.
        case optionalCount(ClosedRange<Int>)
        /// A seed.
        case seed
        case oneOf([String])
        /// Some of these names, separated by spaces; empty for none.
        case someOf([String])
        /// 1, or empty for no.
        case flag
        /// Options of a tool, split into words as by a shell.
        case words
        /// Options of train-step for a network whose method is named by another setting: see ``MethodDefaults``.
        case methodOptions(of: String)
        /// A number of batches, minutes (10m) or seconds (30s); or empty.
        case interval
        /// Free text, checked where it is used.
        case text
    }

    public let name: String
    let kind: Kind
    /// The default for a run on synthetic images, which needs no data.
    let demonstration: String
    /// The default for a run on the user's images.
    let images: String
    public let help: String
    /// Whether a run remembers it.
    let isKept: Bool

    init(
        _ name: String, _ kind: Kind, demonstration: String = "", images: String = "", isKept: Bool = true, _ help: String
    ) {
        self.name = name
        self.kind = kind
        self.demonstration = demonstration
        self.images = images
        self.isKept = isKept
        self.help = help
    }

    /// All settings, in the order of their help.
    public static let all: [Setting] = [
        Setting("NAME", .text, isKept: false, "name of the run, whose files are in runs/NAME (default: from DATA's name)"),
        Setting("RUNS", .text, isKept: false, "the folder of runs (default: runs)"),
        Setting("DATA", .path, "the images: a folder of class/name.jpg, a folder of archives, or one tar or zip (default: images are drawn)"),
        Setting("TEST", .path, "images to evaluate on (default: DATA's own val or test folder, else half of DATA, by the labels of the other half)"),
        Setting(
            "METHOD", .oneOf(names { _ in true }), demonstration: SEED.name, images: SEED.name,
            "the student's training method; with a teacher: " + names { $0.inputs.teacher != nil }.joined(separator: ", ") + "; without one: "
                + names { $0.inputs.teacher == nil && !$0.inputs.labels }.joined(separator: ", ") + "; with labels instead: "
                + names { $0.inputs.teacher == nil && $0.inputs.labels }.joined(separator: ", ")),
        Setting(
            "TEACHER", .path, demonstration: "", images: FetchedTeacher.usual,
            "the teacher's weights, a file of safetensors or torch.save; or efficientnet-lite0, -lite1 or -lite2, which are fetched; none: train one"),
        Setting(
            GivenTeacher.setting, .words,
            "the teachers of METHOD=\(SEEDTeachers.name), such as 'a.safetensors efficientnet-lite1': each teaches a part of the embedding and has its own queue; TEACHER is the first"),
        Setting(
            RunSettings.statistics, .oneOf(["learnt", "batch"]), demonstration: "learnt", images: "learnt",
            "statistics of a teacher's batch norms; batch: the mean and deviation of each batch of a view, as in the code of disco and bingo"),
        Setting("TEACHER_COMMAND", .text, "a program to use as the teacher, run by the shell: it reads augment's stream and adds 'teacher'"),
        Setting(
            "TEACHER_TIMEOUT", .optionalCount(1...1_000_000_000), "seconds after which the program of TEACHER_COMMAND is stopped if it gives no answer (default: \(TeacherProcess.usualTimeout))"),
        Setting(
            Beginning.setting, .path,
            "initial weights of the student instead of random ones: a file of weights, efficientnet-lite0, -lite1 or -lite2, or the folder of a run, whose student is taken; the head is replaced"),
        Setting(
            LabelChoice.setting, .text,
            "labels that a method with labels learns from: a share of each class's images, such as 0.01, or a file that names images, one per line (default: all)"),
        Setting("STUDENT", .oneOf(Network.trainable), demonstration: "tiny-resnet10", images: "resnet18", "the student's network (with FROM: that of the file)"),
        Setting(
            Student.setting, .someOf(Network.trainable),
            "several students to train side by side from one pass of the teacher, such as 'resnet18 mobilenet-v3-large' (default: STUDENT alone)"),
        Setting("EPOCHS", .count(1...100_000), demonstration: "20", images: "24", "how often the student sees all images; raise it to train longer"),
        Setting("BATCH", .count(1...65536), demonstration: "64", images: "64", "images in a training step"),
        Setting(
            Launch.groups, .optionalCount(1...65536),
            "groups that each batch is cut into, each with its own batch norm; processed one after the other, so that memory holds one; ranks share them (default: 1)"),
        Setting("SIZE", .count(8...4096), demonstration: "32", images: "224", "height and width of the images that networks see"),
        Setting("STEPS", .optionalCount(1...1_000_000_000), "batches in an epoch of the student, taken from successive passes over DATA (default: an epoch is one pass)"),
        Setting(
            "SHUFFLE", .oneOf(["all", "archives"]), demonstration: "all", images: "all",
            "archives: the student sees the archives of DATA one after the other in random order, and the images of each in random order"),
        Setting(
            Crops.setting, .text,
            "crops that the student learns from, as for augment --crops, or small-patches: SEED's, scaled to SIZE (default: the method's); networks are evaluated at SIZE"),
        Setting(
            Store.setting, .optionalCount(1...100_000),
            "epochs of the teacher's embeddings to keep; later epochs repeat their views and need no teacher (default: none)"),
        Setting(Store.half, .flag, "1: keep these embeddings in half precision"),
        Setting("EMBEDDING", .optionalCount(1...65536), "numbers in an embedding (default: the given teacher's, else 128)"),
        Setting("QUEUE", .optionalCount(1...1 << 28), demonstration: "2048", "rows in the queue, if METHOD has one (default: the method's; for seed half the data set, at most 65536)"),
        Setting("STUDENT_OPTIONS", .methodOptions(of: "METHOD"), "train-step options for the student"),
        Setting(
            "TEACHER_NETWORK", .oneOf(Network.trainable), demonstration: "tiny-resnet18", images: "resnet50",
            "the network of a teacher to be trained"),
        Setting(
            "TEACHER_OBJECTIVE", .oneOf(names { $0.inputs.teacher == nil }), demonstration: SupervisedContrastive.name, images: MoCoV2.name,
            "the teacher's training method: " + names { $0.inputs.teacher == nil && !$0.inputs.labels }.joined(separator: ", ")
                + ", or with labels " + names { $0.inputs.teacher == nil && $0.inputs.labels }.joined(separator: ", ")),
        Setting("TEACHER_EPOCHS", .count(1...100_000), demonstration: "16", images: "200", "how often the teacher sees all images"),
        Setting("TEACHER_BATCH", .count(1...65536), demonstration: "128", images: "64", "images in a training step of the teacher"),
        Setting("TEACHER_OPTIONS", .methodOptions(of: "TEACHER_OBJECTIVE"), "train-step options for the teacher"),
        Setting("FLAGS", .words, "further options of augment: --allow-bad, --limit N, --crop-scale A,B, --level N"),
        Setting(
            "SYNTHESIZE_OPTIONS", .words, demonstration: "--classes 24 --train 6000 --test 1200 --size 64",
            "options of synthesize, which draws the images of a run without DATA"),
        Setting("SEED", .seed, demonstration: "0", images: "0", "the seed of everything random"),
        Setting("KEEP", .optionalCount(1...100_000), "number of latest checkpoints to keep, of student and teacher each (default: all)"),
        Setting(
            Interim.setting, .interval, demonstration: Interim.usual, images: Interim.usual,
            "how often to save the state within an epoch, from which a killed run resumes: minutes as 10m, or a number of batches; empty: only at a scheduler's SIGTERM"),
        Setting(Probe.setting, .optionalCount(1...100_000), "epochs of the student between evaluations by k-NN (default: evaluated only at the end)"),
        Setting("EXPORT", .someOf(ExportedFile.names), "also write the student for other programs, beside its own file: onnx, torch (default: none)"),
        Setting("TENSORBOARD", .flag, "1: also write the logs' numbers for TensorBoard, in runs/NAME/tensorboard"),
        Setting(
            Launch.setting, .words, isKept: false,
            "command that starts the epochs on several ranks, at most BATCH_GROUPS: 'mpirun -n 4 --hostfile hosts', 'srun --mpi=pmix'; results do not depend on it (default: only this machine)"),
        Setting("RANK_TIMEOUT", .optionalCount(2...86_400), "seconds without a sign of life after which a rank counts as lost (default: 20)"),
        Setting("ALLOW_MIXED", .flag, "1: allow ranks on processors of different kinds, whose results differ in their last bits"),
        Setting(
            Submission.partition, .text, isKept: false, "the Slurm partition for the jobs of 'make distill-slurm' (default: the cluster's)"),
        Setting(Submission.nodes, .optionalCount(1...65536), isKept: false, "machines that 'make distill-slurm' starts epochs on, and tasks of its array for features (default: 1)"),
        Setting(Submission.site, .path, isKept: false, "file that says what the cluster needs for jobs (default: pipelines/slurm/site)"),
        Setting(FeatureShards.setting, .text, isKept: false, "the part of the features that 'make shard' makes, such as 3/8; the next make merges the parts"),
        Setting(
            Until.setting, .oneOf([""] + Until.allCases.map(\.rawValue)), isKept: false,
            "where 'make distill' ends: teacher, when it is trained; students, when they are trained, before any evaluation (default: when all is done)"),
        Setting("THREADS", .optionalCount(1...1024), isKept: false, "threads of each tool; results do not depend on it (default: all)"),
        Setting("TAP", .optionalCount(1...1_000_000), isKept: false, "keep this many records of every stream between tools in runs/NAME/tap, for inspect"),
        Setting("STAGE", .text, isKept: false, "the stage that 'make stage' runs, such as student.7"),
        Setting("SHOW", .flag, isKept: false, "1: 'make stage' prints the stage's command and runs nothing"),
    ]

    public static func named(_ name: String) -> Setting? { all.first { $0.name == name } }

    /// Names of settings in earlier versions, with their current names.
    static let renamed = ["STUDENT_OBJECTIVE": "METHOD"]

    /// The names of the methods for which `isMeant` holds.
    private static func names(_ isMeant: (any Objective.Type) -> Bool) -> [String] { Methods.all.filter(isMeant).map { $0.name } }

    /// The default value.
    ///
    /// - Parameter objective: returns the value of another setting, such as the one that names the method.
    func fallback(drawn: Bool, objective: (String) -> String, _ defaults: MethodDefaults) throws -> String {
        guard case .methodOptions(let name) = kind else { return drawn ? demonstration : images }
        return try defaults.options(objective(name), isFineTuned: name == "METHOD" && !objective(Beginning.setting).isEmpty, areDrawn: drawn)
    }

    /// The setting's line in `make help`.
    ///
    /// - Parameter pipelines: the folder of make's fragments.
    public func line(pipelines: String) throws -> String {
        func value(drawn: Bool) throws -> String {
            try fallback(drawn: drawn, objective: { Setting.named($0).map { drawn ? $0.demonstration : $0.images } ?? "" }, MethodDefaults(pipelines: pipelines))
        }
        let (given, drawn) = (try value(drawn: false), try value(drawn: true))
        var line = name + String(repeating: " ", count: max(1, 19 - name.count)) + help
        if !given.isEmpty { line += given == drawn ? " (\(given))" : " (\(given); with drawn images \(drawn.isEmpty ? "none" : drawn))" }
        return line
    }
}
