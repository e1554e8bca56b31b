"""What TensorRT says over many lines is said in one."""

from export.tensorrt.flavour import TensorRt
from export.tensorrt.log import Log, one_line


def test_line_ends_and_the_noise_of_a_machine_without_a_gpu_go() -> None:
    message = "ITensor::getDimensions: Error Code 4:\n  API Usage Error (x)\n[checkMacros.cpp::catchCudaError::250] no"
    assert one_line(message) == "ITensor::getDimensions: Error Code 4: API Usage Error (x)"


def test_places_in_the_source_go() -> None:
    message = "isValid: Error Code 4: API Usage Error (Invalid profiles. In isValid at /_src/api/profile.cpp:367)"
    assert one_line(message) == "isValid: Error Code 4: API Usage Error (Invalid profiles)"


def test_the_first_error_is_the_cause(rtx: TensorRt) -> None:
    log = Log(rtx)
    assert log.first_error() == "it gives no reason"
    severity = rtx.ILogger.ERROR
    log.logger.log(severity, "[checkMacros.cpp::catchCudaError::250] no driver")
    log.logger.log(severity, "the cause")
    log.logger.log(severity, "what followed")
    assert log.first_error() == "the cause"
    assert len(log.messages) == 3
