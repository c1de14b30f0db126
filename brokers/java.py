"""How brokers in Java are run: the same options of the JVM and the same kind of log for each of them. Pure."""

from collections.abc import Mapping


def heap(memory: int, share: float) -> int:
    """Return the Java heap in MiB that a share of a memory cap, in bytes, gives."""
    return int(memory * share) // 1024**2


def start(heap_mib: int, cpus: int) -> tuple[str, ...]:
    """Return how a command line begins: the JVM, its heap, collector and CPUs."""
    return (
        "/usr/bin/java",
        "-server",
        f"-Xmx{heap_mib}m",
        "-XX:+UseG1GC",
        f"-XX:ActiveProcessorCount={cpus}",
        # A JVM out of heap limps on for minutes; a dead one is a clear outcome.
        "-XX:+ExitOnOutOfMemoryError",
    )


def console_log(levels: Mapping[str, str]) -> str:
    """Return a configuration of Log4j 2 that prints warnings, and of some loggers what is asked for.

    Args:
        levels: by logger.
    """
    loggers = "".join(
        f"logger.{number}.name = {name}\nlogger.{number}.level = {level}\n"
        for number, (name, level) in enumerate(levels.items())
    )
    return f"""\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
{loggers}appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %-5level %msg%n
"""
