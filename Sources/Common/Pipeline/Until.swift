import ToolSupport

/// Where `make distill` ends early.
enum Until: String, CaseIterable {
    case teacher
    case students

    static let setting = "UNTIL"

    /// Nil if everything is to be done.
    init?(_ settings: RunSettings) { self.init(rawValue: settings[Until.setting]) }

    /// - Throws: ``Failure`` `usage` if the run has no such end.
    static func check(_ settings: RunSettings) throws {
        guard Until(settings) == .teacher, !settings.trainsTeacher else { return }
        throw Failure(.usage, "\(setting)=teacher: this run trains no teacher", remedy: "leave it out")
    }
}
