import Objectives

/// Where the embeddings come from that a run's student learns; its words are make's TEACHER.
enum TeacherOrigin: String {
    /// From nowhere: the method needs no teacher.
    case none
    /// From the weights that TEACHER names.
    case given
    /// From the program that TEACHER_COMMAND is.
    case program
    /// From a network that the run trains.
    case trained
}

extension RunSettings {
    var teacherOrigin: TeacherOrigin {
        if method.inputs.teacher == nil { return .none }
        return !self[TeacherProgram.setting].isEmpty ? .program : self["TEACHER"].isEmpty ? .trained : .given
    }

    /// Whether the student learns from images that are near to each other for the teacher.
    var hasBags: Bool { method.inputs.bags }
    var trainsTeacher: Bool { teacherOrigin == .trained }

    /// What a teacher's batch norms normalise by.
    static let statistics = "TEACHER_STATISTICS"
    /// Whether it is the mean and deviation of each batch, as in training.
    var takesBatchStatistics: Bool { teacherOrigin != .none && self[Self.statistics] == "batch" }
}
