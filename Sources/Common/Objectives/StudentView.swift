/// Which view of an image a student sees whose teacher sees the first: the same one as SEED's authors have it, or another, of another recipe perhaps.
enum StudentView {
    static let option = MethodOption("student-view", default: 0, in: 0...63, "The view of each image that the student sees, from 0; the teacher's is the first.")

    static func pass(_ name: String, _ options: MethodOptions, output: Pass.Output = .embedding) -> Pass { Pass(name, .view(options[option]), output: output) }
}
