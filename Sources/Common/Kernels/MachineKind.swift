import COpenBLAS

/// What the bits of results depend on besides the tools: OpenBLAS's name of the processor whose kernels it uses here.
public enum MachineKind {
    public static var name: String { openblas_get_corename().map { String(cString: $0) } ?? "unknown" }
}
