namespace Payments.Domain.Database;

/// <summary>Today's schema: the file <c>schema.sql</c> of each capability, embedded in this assembly.</summary>
public static class SchemaFiles
{
    /// <summary>The capabilities that have a schema. Each file uses only objects that an earlier file creates.</summary>
    public static IReadOnlyList<string> Capabilities { get; } =
    [
        "Database", "Merchants", "Idempotency", "Messaging", "Audit", "Ledger", "Charges", "Refunds", "Balances", "Pricing", "Providers", "Webhooks", "Disputes",
        "Payouts",
    ];

    /// <summary>All files in their order, as one script.</summary>
    public static string All { get; } = string.Join('\n', Capabilities.Select(Read));

    /// <summary>The schema of one capability.</summary>
    public static string Read(string capability)
    {
        // The build writes the folder with the path separator of its own operating system.
        var assembly = typeof(SchemaFiles).Assembly;
        using var stream = assembly.GetManifestResourceStream($"schema/{capability}/schema.sql")
            ?? assembly.GetManifestResourceStream($"schema/{capability}\\schema.sql")
            ?? throw new InvalidOperationException($"The assembly holds no schema.sql of '{capability}'.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
