namespace Payments.Acquirer;

/// <summary>Settings of the section <c>Acquirer</c> (environment <c>Acquirer__Name</c>, arguments <c>--Acquirer:Name=value</c>).</summary>
public sealed class AcquirerOptions
{
    /// <summary>Loopback port; 0 lets the system choose one.</summary>
    public int Port { get; set; } = 7090;

    /// <summary>The bearer key that callers present. Required.</summary>
    public string ApiKey { get; set; } = "";

    /// <summary>Where the journal lives. Required; one program at a time may use it.</summary>
    public string DataDirectory { get; set; } = "";

    /// <summary>Where webhooks go. Without it no webhook is made.</summary>
    public string? WebhookUrl { get; set; }

    /// <summary><c>whsec_</c> and base64 of the HMAC key. Required with <see cref="WebhookUrl"/>.</summary>
    public string? WebhookSecret { get; set; }

    /// <summary>How many webhooks may be under way at a time.</summary>
    public int WebhookConcurrency { get; set; } = 16;

    /// <summary>How long a receiver may take to acknowledge a webhook.</summary>
    public int WebhookTimeoutSeconds { get; set; } = 15;

    /// <summary>Decides every draw of a fault: equal seeds and references give equal faults.</summary>
    public ulong Seed { get; set; } = 1;

    /// <summary>How long a call that is never answered is held before its connection is dropped.</summary>
    public int HoldSeconds { get; set; } = 60;

    /// <summary>Pause before each step that happens by itself: a pending refund settling, a payout advancing, a dispute opening.</summary>
    public int StepMilliseconds { get; set; } = 500;

    /// <summary>How long an authorization lives.</summary>
    public int AuthorizationDays { get; set; } = 7;

    /// <summary>When false the journal survives the death of the process but not that of the machine.</summary>
    public bool FlushToDisk { get; set; } = true;

    /// <summary>What the processor keeps of a capture, in hundredths of a percent.</summary>
    public int CostBasisPoints { get; set; } = 150;

    /// <summary>What the processor keeps of each capture besides, in minor units.</summary>
    public int CostFixed { get; set; } = 10;

    /// <summary>Refuses settings that could not work, with one line that says what to do.</summary>
    internal void Validate()
    {
        if (ApiKey.Length == 0)
            throw new AcquirerSetupException("set Acquirer__ApiKey to the key that callers will present.");
        if (DataDirectory.Length == 0)
            throw new AcquirerSetupException("set Acquirer__DataDirectory to the folder of its journal.");
        if (Port is < 0 or > 65535)
            throw new AcquirerSetupException("Acquirer__Port is not a port.");
        if (string.IsNullOrEmpty(WebhookUrl))
            return;
        if (!Uri.TryCreate(WebhookUrl, UriKind.Absolute, out var url) || !url.IsLoopback)
            throw new AcquirerSetupException("Acquirer__WebhookUrl must be an absolute address on loopback.");
        if (!WebhookSignature.TryParseSecret(WebhookSecret, out _))
            throw new AcquirerSetupException("Acquirer__WebhookSecret must be whsec_ and the base64 of 24 to 64 bytes.");
    }
}

/// <summary>The program cannot start as it was set up.</summary>
public sealed class AcquirerSetupException(string message) : Exception(message);
