namespace Payments.Domain;

/// <summary>Whether money is real. A merchant has one account in each mode, and nothing of one can be seen or moved from the
/// other.</summary>
public enum Mode
{
    Live,
    Test,
}

/// <summary>
/// One account of a merchant: the tenant. Its id leads the key of every row that belongs to it. A merchant has a live and a test account,
/// whose
/// ids differ in one digit: a live id is a UUID of version 7, a test id of version 8 (RFC 9562, section 5.8). So the mode is part of every
/// key.
/// </summary>
public readonly record struct MerchantId(Guid Value) : IPrefixedId<MerchantId>
{
    public static string Prefix => "mer_";

    /// <summary>No merchant: events of the platform itself are kept under it.</summary>
    public static MerchantId Platform => new(Guid.Empty);

    /// <summary>
    /// Which of the <see cref="Buckets"/> the account falls in: 0 to 63 live, 64 to 127 test. All rows of a merchant and the platform's
    /// accounts
    /// follow the bucket, so that no journal spans two shards or two modes. The SQL function <c>payments.bucket_of</c> computes the same.
    /// </summary>
    public short Bucket
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            Value.TryWriteBytes(bytes, bigEndian: true, out _);
            return (short)((bytes[15] % LiveBuckets) + (Mode == Mode.Test ? LiveBuckets : 0));
        }
    }

    /// <summary>How many buckets there are. It is part of stored data: changing it needs a migration.</summary>
    public const short Buckets = 2 * LiveBuckets;

    /// <summary>The first bucket of the test accounts.</summary>
    public const short LiveBuckets = 64;

    private const int TestVersion = 8;

    public Mode Mode => Value.Version == TestVersion ? Mode.Test : Mode.Live;

    /// <summary>The account of the same merchant in a mode.</summary>
    public MerchantId In(Mode mode)
    {
        Span<byte> bytes = stackalloc byte[16];
        Value.TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[6] = (byte)((bytes[6] & 0x0F) | (mode == Mode.Test ? TestVersion : 7) << 4);
        return new(new Guid(bytes, bigEndian: true));
    }

    public static MerchantId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct ChargeId(Guid Value) : IPrefixedId<ChargeId>
{
    public static string Prefix => "ch_";

    public static ChargeId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

/// <summary>One try of an operation at a provider; its text is the provider's idempotency key and our reference there.</summary>
public readonly record struct AttemptId(Guid Value) : IPrefixedId<AttemptId>
{
    public static string Prefix => "att_";

    public static AttemptId From(Guid value) => new(value);

    /// <summary>
    /// The id of a charge's first attempt, which has no row of its own until something is learned of it: it follows from the charge's. Its last bit differs, so that the two have events of their own.
    /// </summary>
    public static AttemptId FirstOf(ChargeId charge)
    {
        Span<byte> bytes = stackalloc byte[16];
        charge.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[15] ^= 1;
        return new(new Guid(bytes, bigEndian: true));
    }

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct RefundId(Guid Value) : IPrefixedId<RefundId>
{
    public static string Prefix => "re_";

    public static RefundId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct DisputeId(Guid Value) : IPrefixedId<DisputeId>
{
    public static string Prefix => "dp_";

    public static DisputeId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct PayoutId(Guid Value) : IPrefixedId<PayoutId>
{
    public static string Prefix => "po_";

    /// <summary>Banks name a payout by its id alone, so the id holds its merchant's bucket, in the low bits of its last byte.</summary>
    public short Bucket
    {
        get
        {
            Span<byte> bytes = stackalloc byte[16];
            Value.TryWriteBytes(bytes, bigEndian: true, out _);
            return (short)(bytes[15] % MerchantId.Buckets);
        }
    }

    public static PayoutId New(MerchantId merchant, DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[16];
        Guid.CreateVersion7(now).TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[15] = (byte)(bytes[15] - (bytes[15] % MerchantId.Buckets) + merchant.Bucket);
        return new(new Guid(bytes, bigEndian: true));
    }

    public static PayoutId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

/// <summary>What is paid together: open until a payout takes it. Nobody outside sees it.</summary>
public readonly record struct PayoutBatchId(Guid Value);

public readonly record struct EventId(Guid Value) : IPrefixedId<EventId>
{
    public static string Prefix => "evt_";

    public static EventId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct WebhookEndpointId(Guid Value) : IPrefixedId<WebhookEndpointId>
{
    public static string Prefix => "we_";

    public static WebhookEndpointId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct DeliveryId(Guid Value) : IPrefixedId<DeliveryId>
{
    public static string Prefix => "whd_";

    public static DeliveryId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct ApiKeyId(Guid Value) : IPrefixedId<ApiKeyId>
{
    public static string Prefix => "key_";

    public static ApiKeyId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

public readonly record struct BalanceTransactionId(Guid Value) : IPrefixedId<BalanceTransactionId>
{
    public static string Prefix => "txn_";

    public static BalanceTransactionId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}

/// <summary>An entry of the audit log.</summary>
public readonly record struct AuditEntryId(Guid Value) : IPrefixedId<AuditEntryId>
{
    public static string Prefix => "aud_";

    public static AuditEntryId From(Guid value) => new(value);

    public override string ToString() => PrefixedId.Format(this);
}
