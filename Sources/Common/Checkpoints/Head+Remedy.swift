public import Networks
import ToolSupport

extension Head {
    /// The advice for a word that names no head.
    public static func remedy(_ word: String) -> String {
        let list = "there are \(names.joined(separator: ", ")), and layers such as 'linear 512, relu, linear 128'"
        if word.lowercased() == "none" { return "initialize --embedding 0 and convert-weights --backbone make networks without a head" }
        return Nearest.remedy(word, among: names, list: list)
    }
}
