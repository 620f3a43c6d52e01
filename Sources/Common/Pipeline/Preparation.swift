import Datasets
import Networks
import Objectives
import ToolSupport

/// A run that has been looked at as a whole: its settings, data and teacher are opened and go together.
///
/// Making one writes nothing. What cannot work throws here, before anything is done.
struct Preparation {
    let settings: RunSettings
    let folder: RunFolder
    let run: Run
    let train: ImageData?
    let test: ImageData?
    /// Those that are given, in the order of ``RunSettings/givenTeachers``.
    let teachers: [Teacher]
    /// What the student begins with; nil for random numbers.
    let beginning: Beginning?
    /// Which labels are learnt from; nil for all.
    let labels: ChosenLabels?
    private(set) var program: TeacherProgram?
    private(set) var hashes: FileHashes
    /// The files of what was given, as they were before they were opened: whatever changes later is seen by comparing.
    private(set) var lists: [Source: FileList]
    /// What a person should know, a line each.
    private(set) var remarks: [String] = []

    /// The folder of the run that was typed.
    static func folder(_ flags: MakeFlags, _ kind: RunKind) throws -> RunFolder {
        try RunSettings.check(flags)
        return try RunFolder(runs: flags.value(of: "RUNS") ?? "runs", name: flags.value(of: "NAME") ?? kind.name(of: flags.value(of: "DATA") ?? ""))
    }

    /// - Parameters:
    ///   - kind: of the runs that the target is for.
    ///   - tried: a program that is the teacher and has been tried, and the hashes that are known since; nil where it is enough what the run remembers of it.
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
        // Lists first, since they are quick; bytes once all else is known to go together.
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
        // Once the images are known to be some.
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
        remarks = try nameRemarks() + teacherRemarks() + classifierRemarks() + imageRemarks() + settingRemarks() + optionRemarks(environment.pipelines) + (flags.doesAll ? ["make -B: all stages are done again"] : [])
    }

    /// The same run once its program has been tried, which is as the run remembered it.
    func with(_ tried: TeacherProgram, _ hashes: FileHashes) -> Preparation {
        var preparation = self
        (preparation.program, preparation.hashes) = (tried, hashes)
        return preparation
    }

    /// Classes of the images that are drawn.
    private static func drawnClasses(_ settings: RunSettings) -> Int { ShellWords.value(of: "--classes", in: settings.words("SYNTHESIZE_OPTIONS")).flatMap { Int($0) } ?? 24 }

    /// Numbers in the embedding of a teacher that is trained, where its method's head has as many by itself and EMBEDDING says nothing else.
    ///
    /// - Throws: ``Failure`` where it is a classifier, whose logits are no embedding.
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

    /// Numbers in the embeddings of all teachers that are given, side by side; nil of none.
    private static func width(_ teachers: [Network]) -> Int? { teachers.isEmpty ? nil : teachers.reduce(0) { $0 + $1.embeddingWidth } }

    /// Numbers in an embedding: the given teacher's, where nothing is said.
    private static func embedding(_ settings: RunSettings, _ given: Int?) throws -> Int {
        let embedding = settings.count("EMBEDDING") ?? given ?? 128
        if let given, given != embedding, settings.method.inputs.teacher?.isEmbedding == true {
            let name = settings["TEACHER"].isEmpty ? TeacherProgram.setting : settings.method.inputs.hasSeveralTeachers ? GivenTeacher.setting : settings["TEACHER"]
            throw Failure(
                .usage, path: name, "has embeddings of \(given) numbers where EMBEDDING=\(embedding)",
                remedy: "leave out EMBEDDING, which then is the teacher's" + (settings.method.inputs.hasSeveralTeachers || settings.typed.contains("TEACHER") || settings["TEACHER"].isEmpty ? "" : "; or TEACHER=none trains one"))
        }
        return embedding
    }

    /// Numbers in the rows that a student learns from; nil where no teacher is.
    private static func teacherRows(_ settings: RunSettings, _ given: [Network], _ program: TeacherProgram?) -> Int? {
        guard let output = settings.method.inputs.teacher else { return nil }
        if let program { return program.dimension }
        if output == .logits { return width(given) }
        guard output == .features else { return width(given) ?? settings.count("EMBEDDING") ?? 128 }
        return (given.first ?? Network(settings["TEACHER_NETWORK"], head: .none))?.featureWidth
    }

    /// - Throws: ``Failure`` where the teacher has no logits, or they are none of the data's classes where these are learnt.
    private static func checkClassifier(_ settings: RunSettings, _ teacher: Teacher?, _ program: TeacherProgram?, _ names: [String]?, count classes: Int) throws {
        let areClasses = settings.method.inputs.labels, method = "METHOD=\(settings["METHOD"])"
        let remedy = areClasses
            ? "name a TEACHER that is a classifier of the images' classes, as make finetune trains one" : "name a TEACHER whose head ends in prototypes (\(settings.trainsTeacher ? "make pretrain METHOD=swav, then " : "")convert-weights --prototypes)"
        if areClasses, settings.trainsTeacher, settings.teacherMethod.trainsClassifier { return }
        guard program == nil else { throw Failure(.usage, "\(method) learns the logits of a head, and \(TeacherProgram.setting) gives rows of length 1", remedy: remedy) }
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
            // Without TEST, DATA is judged by itself or by a part of its own.
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
    ///   - sizes: of the crops that the network is to take, besides SIZE.
    ///   - text: of these crops.
    /// - Throws: ``Failure`` where it takes no such images.
    fileprivate func checkSizes(_ sizes: [Int], of text: String?, for network: Network) throws {
        let multiple = network.imageMultiple
        for size in [number("SIZE")] + sizes {
            let name = size == number("SIZE") ? "SIZE=\(size)" : "crops '\(text ?? "")' of size \(size)"
            guard size >= network.smallestImage else {
                throw Failure(.usage, path: name, "is too small for a \(network.name)", remedy: "\(network.smallestImage) is the least")
            }
            guard size % multiple == 0 else {
                throw Failure(.usage, path: name, "is no multiple of \(multiple), the patches of the teacher, a \(network.name)", remedy: network.sizeRemedy(size))
            }
        }
    }

    /// A teacher that shall be normalised by each batch must have batch norms, and be a network.
    fileprivate func checkStatistics(of teachers: [Network]) throws {
        guard takesBatchStatistics else { return }
        if teacherOrigin == .program {
            throw Failure(.usage, "\(RunSettings.statistics)=batch is of networks, and \(TeacherProgram.setting) names a program", remedy: "\(RunSettings.statistics)=learnt")
        }
        if let network = teachers.first(where: \.statistics.isEmpty) {
            throw Failure(.usage, "\(RunSettings.statistics)=batch: the teacher, a \(network.name), has no batch norm", remedy: "\(RunSettings.statistics)=learnt")
        }
    }
}
