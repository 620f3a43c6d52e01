import Objectives

/// The origin of the teacher's output that a run's student learns from. The raw values are those of TEACHER in make's
/// fragments.
enum TeacherOrigin: String {
    /// No teacher: the method needs none.
    case none
    /// A network with the weights in TEACHER.
    case given
    /// The program in TEACHER_COMMAND.
    case program
    /// A network that the run trains.
    case trained
}

extension RunSettings {
    var teacherOrigin: TeacherOrigin {
        if method.inputs.teacher == nil { return .none }
        return !self[TeacherProgram.setting].isEmpty ? .program : self["TEACHER"].isEmpty ? .trained : .given
    }

    /// Whether the student learns from bags of images that are similar for the teacher.
    var hasBags: Bool { method.inputs.bags }
    var trainsTeacher: Bool { teacherOrigin == .trained }

    /// The setting that determines the statistics of a teacher's batch norms.
    static let statistics = "TEACHER_STATISTICS"
    /// Whether these are the mean and deviation of each batch, as in training.
    var takesBatchStatistics: Bool { teacherOrigin != .none && self[Self.statistics] == "batch" }
}
