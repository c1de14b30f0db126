"""What brokers in Java have in common."""

from brokers import java


def test_a_heap_is_a_share_of_the_cap_in_whole_mib() -> None:
    """Rounded down, so that it never exceeds the share."""
    assert java.heap(1024**3, 0.5) == 512
    assert java.heap(1024**3 - 1, 0.5) == 511


def test_every_jvm_starts_alike() -> None:
    """The same collector, as many CPUs as it was given, and an end where the heap is used up."""
    begun = java.start(512, 3)
    assert begun[:2] == ("/usr/bin/java", "-server")
    assert {*begun[2:]} == {
        "-Xmx512m",
        "-XX:+UseG1GC",
        "-XX:ActiveProcessorCount=3",
        "-XX:+ExitOnOutOfMemoryError",
    }


def test_a_log_has_each_logger_at_its_level() -> None:
    """The root prints warnings, on the console."""
    lines = java.console_log({"a.b": "INFO", "a.b.c": "OFF"}).splitlines()
    assert lines[0] == "rootLogger.level = WARN"
    assert lines[2:6] == [
        "logger.0.name = a.b",
        "logger.0.level = INFO",
        "logger.1.name = a.b.c",
        "logger.1.level = OFF",
    ]
    assert lines[6] == "appender.console.type = Console"
