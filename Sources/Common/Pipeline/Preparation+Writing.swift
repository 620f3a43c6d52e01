import Datasets
import Platform
import ToolSupport

extension Preparation {
    /// Writes the inputs of the stages: settings, options, links, and the identity of the data.
    func write() throws {
        try settings.save(in: folder.path)
        if settings.store != nil { try folder.create("store") }
        for (name, words) in run.options { try TextFile.write(words.map { $0 + "\n" }.joined(), to: folder.file("options/\(name)")) }
        try hashes.save(to: folder.file(FileHashes.file))
        try Identity(train: train?.identity, test: test?.identity, teacher: run.teacherIdentity, from: beginning?.hash).save(in: folder.path)
        for (source, list) in lists { try list.save(to: folder.file(source.list)) }
        if settings.isDemonstration {
            try folder.link("data/train", to: "../pictures/train")
            try folder.link("data/test", to: "../pictures/test")
        } else {
            try TextFile.write((train?.classes ?? []).map { $0 + "\n" }.joined(), to: folder.file("data/classes"))
            try folder.link("data/train", to: try RunFolder.resolved(settings["DATA"]))
            try folder.link("data/test", to: try RunFolder.resolved(settings["TEST"].isEmpty ? settings["DATA"] : settings["TEST"]))
        }
        if let list = labels?.list { try TextFile.write(list, to: folder.file(LabelChoice.file)) }
        if beginning == nil { unsafe unlink(folder.file(Beginning.link)) } else { try folder.link(Beginning.link, to: try RunFolder.resolved(settings.beginningFile)) }
        try program?.save(settings, in: folder)
        for link in GivenTeacher.furtherLinks where !settings.givenTeachers.contains(where: { $0.link == link }) { unsafe unlink(folder.file(link)) }
        switch settings.teacherOrigin {
        // Remove the link to a previous teacher of the run.
        case .none, .program: unsafe unlink(folder.file(Source.teacher.link))
        case .given: for teacher in settings.givenTeachers { try folder.link(teacher.link, to: try RunFolder.resolved(teacher.file)) }
        case .trained: try folder.link(Source.teacher.link, to: "teacher.\(run.teacherEpochs).safetensors")
        }
    }

    /// Saves the hashes of the data in addition to those of the run, unless another process works on the run. If this
    /// fails, only the time to read the data again is lost.
    func keepHashes() {
        guard folder.isRun else { return }
        _ = try? folder.whileIdle { try hashes.save(to: folder.file(FileHashes.file), all: true) }
    }
}
