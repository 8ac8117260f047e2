namespace Payments.Kit;

/// <summary>Something that the machine lacks, or a program that did not start. The message is one line that says what to do.</summary>
public sealed class KitException : Exception
{
    public KitException()
    {
    }

    public KitException(string message)
        : base(message)
    {
    }

    public KitException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
