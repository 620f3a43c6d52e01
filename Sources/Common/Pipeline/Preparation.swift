import Datasets
import Networks
import Objectives
import ToolSupport

/// A run that has been examined as a whole: its settings, data and teacher are opened and fit together.
///
/// The initializer writes nothing. It throws if something cannot work, before anything is executed.
struct Preparation {
    let settings: RunSettings
    let folder: RunFolder
    let run: Run
    let train: ImageData?
    let test: ImageData?
    /// The given teachers, in the order of ``RunSettings/givenTeachers``.
    let teachers: [Teacher]
    /// The pretrained network that the student starts from; nil for random weights.
    let beginning: Beginning?
    /// The labels that are learnt from; nil for all.
    let labels: ChosenLabels?
    private(set) var program: TeacherProgram?
    private(set) var hashes: FileHashes
    /// The files of the inputs as they were before they were opened. Later changes are found by comparison.
    private(set) var lists: [Source: FileList]
    /// Remarks for the user, one line each.
    private(set) var remarks: [String] = []

    /// The folder of the run, from the typed flags.
    static func folder(_ flags: MakeFlags, _ kind: RunKind) throws -> RunFolder {
        try RunSettings.check(flags)
        return try RunFolder(runs: flags.value(of: "RUNS") ?? "runs", name: flags.value(of: "NAME") ?? kind.name(of: flags.value(of: "DATA") ?? ""))
    }

    /// - Parameters:
    ///   - kind: the kind of runs that the make target is for.
    ///   - tried: a teacher program that has been tested, and the hashes known since. Nil if what the run remembers
    ///     about it suffices.
    init(
        _ flags: MakeFlags, _ environment: StageEnvironment, _ kind: RunKind, tried: (program: TeacherProgram, hashes: FileHashes)? = nil,
        _ supervision: ProgramSupervision, progress: (String, Int, Int) -> Void
    ) throws {
        folder = try Preparation.folder(flags, kind)
        let asked = try RunSettings(typed: kind.completed(flags, folder), folder: folder.path, pipelines: environment.pipelines, method: kind.method)
        try Preparation.checkGiven(asked, flags, folder)
        try kind.check(asked)
        try asked.checkCrops()
        let recipes = try RecipeFiles(asked, folder: folder.path, tools: environment.tools)
        try folder.checkAccess()
        var lists = try Preparation.list(asked, environment, folder)
        // List files first, which is fast, and read bytes only after everything else is known to fit together.
        var known = tried?.hashes ?? FileHashes(reading: folder.file(FileHashes.file))
        let data = try OpenedData(data: asked["DATA"], test: asked["TEST"])
        let judgement = try Judgement(asked, data)
        labels = try ChosenLabels(asked, data.learnt, judgement)
        if !asked[Beginning.setting].isEmpty {
            try Beginning.checkRun(asked[Beginning.setting])
            try FetchedTeacher.fetch(asked[Beginning.setting], setting: Beginning.setting, pipelines: environment.pipelines)
            lists[.from] = try FileList(of: asked.beginningFile)
        }
        beginning = asked[Beginning.setting].isEmpty ? nil : try Beginning(asked.beginningFile, known: &known)
        settings = try beginning.map { try asked.beginning(with: $0) } ?? asked
        if beginning != nil { try settings.checkExports() }
        // Teachers are fetched only after the images are known to be usable.
        if settings.teacherOrigin == .given {
            for teacher in settings.givenTeachers { try FetchedTeacher.fetch(teacher.value, setting: teacher.setting, pipelines: environment.pipelines) }
            lists[.teacher] = try FileList(ofTeachers: settings.givenTeachers.map(\.file))
        }
        teachers = try settings.givenTeachers.map { try Teacher($0.file, as: $0.name, known: &known) }
        let (students, trained) = (settings.students.map { Network($0.network, head: .none) }, settings.trainsTeacher ? Network(settings["TEACHER_NETWORK"], head: .none) : nil)
        let (crops, ofTeacher) = (settings.studentCrops, settings.teacherCrops), taught = crops.taughtSizes(settings.method)
        for (network, sizes, text) in teachers.map({ ($0.network, taught, crops.text) }) + students.map({ ($0, crops.sizes, crops.text) }) + [(trained, ofTeacher.sizes, ofTeacher.text), (trained, taught, crops.text)] {
            if let network { try settings.checkSizes(sizes, of: text, for: network) }
        }
        try settings.checkStatistics(of: settings.trainsTeacher ? [trained].compactMap { $0 } : teachers.map(\.network))
        program = settings.teacherOrigin != .program
            ? nil : try tried?.program ?? TeacherProgram(settings, environment, in: folder, isToBeTried: false, known: &known, supervision)
        if let program { lists[.teacher] = lists[.teacher]?.only(program.definition.files) }
        self.lists = lists
        let classes = data.learnt?.classes.count ?? Preparation.drawnClasses(settings)
        if settings.method.inputs.teacher == .logits { try Preparation.checkClassifier(settings, teachers.first, program, data.learnt?.classes, count: classes) }
        let options = StageOptions(
            settings: settings, splits: (data.learnt?.split, data.judged?.split), teacherRows: Preparation.teacherRows(settings, teachers.map(\.network), program),
            embedding: try Preparation.embedding(settings, Preparation.width(teachers.map(\.network)) ?? program?.dimension ?? Preparation.trainedWidth(settings)), classes: classes,
            labels: try LabelChoice(settings[LabelChoice.setting]), judgement: judgement, recipes: recipes)
        try OptionCheck(options, environment).check()
        train = try data.learnt.map { data in try ImageData(data, known: &known) { progress("DATA", $0, data.samples.count) } }
        test = try data.judged.map { data in try ImageData(data, known: &known) { progress("TEST", $0, data.samples.count) } }
        run = Run(
            options, Run.Given(data: train?.identity, test: test?.identity, teachers: teachers.map(\.hash) + (program.map { [$0.hash] } ?? []), from: beginning?.hash, labels: labels?.hash))
        hashes = known
        try checkName()
        try checkCounts()
        remarks = try nameRemarks() + teacherRemarks() + classifierRemarks() + imageRemarks() + settingRemarks() + optionRemarks(environment.pipelines) + (flags.doesAll ? ["make -B: all stages are redone"] : [])
    }

    /// The same run after its teacher program has been tested and matches what the run remembers.
    func with(_ tried: TeacherProgram, _ hashes: FileHashes) -> Preparation {
        var preparation = self
        (preparation.program, preparation.hashes) = (tried, hashes)
        return preparation
    }

    /// The number of classes of the synthetic images.
    private static func drawnClasses(_ settings: RunSettings) -> Int { ShellWords.value(of: "--classes", in: settings.words("SYNTHESIZE_OPTIONS")).flatMap { Int($0) } ?? 24 }

    /// The embedding width of a trained teacher, if its method's head has a fixed width and EMBEDDING is not given.
    ///
    /// - Throws: ``Failure`` if the teacher is a classifier, whose logits are not an embedding.
    private static func trainedWidth(_ settings: RunSettings) throws -> Int? {
        guard settings.trainsTeacher, settings.method.inputs.teacher?.isEmbedding == true else { return nil }
        if settings.teacherMethod.trainsClassifier {
            throw Failure(
                .usage, "TEACHER_OBJECTIVE=\(settings["TEACHER_OBJECTIVE"]) trains a classifier, and METHOD=\(settings["METHOD"]) learns an embedding",
                remedy: "METHOD=kd learns from a classifier; TEACHER_OBJECTIVE=\(SupervisedContrastive.name) learns an embedding from labels")
        }
        guard case .named(let name) = settings.teacherMethod.head, settings.count("EMBEDDING") == nil else { return nil }
        return Network(settings["TEACHER_NETWORK"], head: .none).flatMap { Head.named(name, features: $0.featureWidth)?.dimension }
    }

    /// The total embedding width of all given teachers; nil if there are none.
    private static func width(_ teachers: [Network]) -> Int? { teachers.isEmpty ? nil : teachers.reduce(0) { $0 + $1.embeddingWidth } }

    /// The embedding width: EMBEDDING, else the given teacher's, else 128.
    private static func embedding(_ settings: RunSettings, _ given: Int?) throws -> Int {
        let embedding = settings.count("EMBEDDING") ?? given ?? 128
        if let given, given != embedding, settings.method.inputs.teacher?.isEmbedding == true {
            let name = settings["TEACHER"].isEmpty ? TeacherProgram.setting : settings.method.inputs.hasSeveralTeachers ? GivenTeacher.setting : settings["TEACHER"]
            throw Failure(
                .usage, path: name, "has embeddings of \(given) numbers where EMBEDDING=\(embedding)",
                remedy: "leave out EMBEDDING to use the teacher's" + (settings.method.inputs.hasSeveralTeachers || settings.typed.contains("TEACHER") || settings["TEACHER"].isEmpty ? "" : "; or TEACHER=none trains one"))
        }
        return embedding
    }

    /// The width of the rows that a student learns from; nil without a teacher.
    private static func teacherRows(_ settings: RunSettings, _ given: [Network], _ program: TeacherProgram?) -> Int? {
        guard let output = settings.method.inputs.teacher else { return nil }
        if let program { return program.dimension }
        if output == .logits { return width(given) }
        guard output == .features else { return width(given) ?? settings.count("EMBEDDING") ?? 128 }
        return (given.first ?? Network(settings["TEACHER_NETWORK"], head: .none))?.featureWidth
    }

    /// - Throws: ``Failure`` if the teacher has no logits, or if they must be logits of the data's classes and are not.
    private static func checkClassifier(_ settings: RunSettings, _ teacher: Teacher?, _ program: TeacherProgram?, _ names: [String]?, count classes: Int) throws {
        let areClasses = settings.method.inputs.labels, method = "METHOD=\(settings["METHOD"])"
        let remedy = areClasses
            ? "name a TEACHER that is a classifier of the images' classes, as make finetune trains one" : "name a TEACHER whose head ends in prototypes (\(settings.trainsTeacher ? "make pretrain METHOD=swav, then " : "")convert-weights --prototypes)"
        if areClasses, settings.trainsTeacher, settings.teacherMethod.trainsClassifier { return }
        guard program == nil else { throw Failure(.usage, "\(method) learns the logits of a head, but \(TeacherProgram.setting) gives rows of length 1", remedy: remedy) }
        guard let rows = teacher?.network.head.dimension else {
            throw Failure(.usage, "\(method) learns \(areClasses ? "a classifier's logits, and the teacher has no classifier" : "scores of prototypes, and the teacher has \(settings.trainsTeacher ? "none in its head: those of a training are kept beside it" : "no head")")", remedy: remedy)
        }
        guard areClasses else { return }
        guard classes == rows else {
            throw Failure(.usage, "\(method) learns logits of the images' classes: DATA has \(classes), and the teacher's rows have \(rows) numbers", remedy: remedy)
        }
        guard let own = teacher?.classes, let names, let difference = ClassDifference.text("TEACHER", own, "DATA", names) else { return }
        throw Failure(.usage, "\(method) learns logits of the images' classes: \(difference)", remedy: remedy)
    }

    private static func list(_ settings: RunSettings, _ environment: StageEnvironment, _ folder: RunFolder) throws -> [Source: FileList] {
        var lists: [Source: FileList] = [:]
        if !settings.isDemonstration {
            lists[.train] = try FileList(of: settings["DATA"])
            // Without TEST, the networks are evaluated on DATA or one of its splits.
            lists[.test] = settings["TEST"].isEmpty ? lists[.train] : try FileList(of: settings["TEST"])
        }
        if settings.teacherOrigin == .program {
            lists[.teacher] = FileList(of: TeacherProgram.Definition(settings[TeacherProgram.setting], folder: environment.folder, run: folder.path).files)
        }
        return lists
    }
}

extension RunSettings {
    /// - Parameters:
    ///   - sizes: the crop sizes that the network must accept, besides SIZE.
    ///   - text: the description of these crops.
    /// - Throws: ``Failure`` if the network does not accept such images.
    fileprivate func checkSizes(_ sizes: [Int], of text: String?, for network: Network) throws {
        let multiple = network.imageMultiple
        for size in [number("SIZE")] + sizes {
            let name = size == number("SIZE") ? "SIZE=\(size)" : "crops '\(text ?? "")' of size \(size)"
            guard size >= network.smallestImage else {
                throw Failure(.usage, path: name, "is too small for a \(network.name)", remedy: "\(network.smallestImage) is the minimum")
            }
            guard size % multiple == 0 else {
                throw Failure(.usage, path: name, "is not a multiple of \(multiple), the patch size of the teacher, a \(network.name)", remedy: network.sizeRemedy(size))
            }
        }
    }

    /// Checks that a teacher that is normalised by batch statistics is a network with batch norms.
    fileprivate func checkStatistics(of teachers: [Network]) throws {
        guard takesBatchStatistics else { return }
        if teacherOrigin == .program {
            throw Failure(.usage, "\(RunSettings.statistics)=batch applies to networks, but \(TeacherProgram.setting) names a program", remedy: "use \(RunSettings.statistics)=learnt")
        }
        if let network = teachers.first(where: \.statistics.isEmpty) {
            throw Failure(.usage, "\(RunSettings.statistics)=batch: the teacher, a \(network.name), has no batch norm", remedy: "use \(RunSettings.statistics)=learnt")
        }
    }
}
