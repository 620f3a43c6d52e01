public import Kernels

/// An activation and its derivative by their definitions, in double precision.
public func plain(_ activation: Activation, _ z: Double) -> (value: Double, derivative: Double) { activation.reference(z) }
