/// The view of an image that the student sees; the teacher sees the first.
///
/// The student may see the same view, as in SEED's authors' code, or another, possibly of another recipe.
enum StudentView {
    static let option = MethodOption("student-view", default: 0, in: 0...63, "The view of each image that the student sees, counted from 0; the teacher sees the first.")

    static func pass(_ name: String, _ options: MethodOptions, output: Pass.Output = .embedding) -> Pass { Pass(name, .view(options[option]), output: output) }
}
