namespace Payments.Domain;

/// <summary>
/// Whether money is real. A merchant has one account in each mode. A request to one account can neither see nor move anything of the other.
/// </summary>
public enum Mode
{
    Live,
    Test,
}

/// <summary>
/// One account of a merchant: the tenant. Its id leads the key of every row that belongs to it. A merchant has a live and a test account,
/// whose ids differ in one digit. A live id is a UUID of version 7, a test id of version 8 (RFC 9562, section 5.8). So the mode is part of
/// every key.
/// </summary>
public readonly record struct MerchantId(Guid Value) : IPrefixedId<MerchantId>
{
    public static string Prefix => "mer_";

    /// <summary>The nil id. Events of the platform itself are stored under it.</summary>
    public static MerchantId Platform => new(Guid.Empty);

    /// <summary>
    /// The bucket of the account: 0 to 63 live, 64 to 127 test. All rows of a merchant and the platform's accounts follow the bucket, so
    /// that no journal spans two shards or two modes. The SQL function <c>payments.bucket_of</c> computes the same.
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

    /// <summary>The number of buckets. Stored data depends on it, so a change needs a migration.</summary>
    public const short Buckets = 2 * LiveBuckets;

    /// <summary>The number of live buckets, and the first bucket of the test accounts.</summary>
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

/// <summary>
/// One try of an operation at one provider. It is part of <c>AttemptReference</c>, our idempotency key and reference at the provider.
/// </summary>
public readonly record struct AttemptId(Guid Value) : IPrefixedId<AttemptId>
{
    public static string Prefix => "att_";

    public static AttemptId From(Guid value) => new(value);

    /// <summary>
    /// The id of a charge's first attempt, derived from the charge's id, because that attempt has no row of its own until an answer is
    /// recorded. Its last bit differs, so that the charge and the attempt have separate events.
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

    /// <summary>
    /// The bucket of the payout's merchant, from the low bits of the id's last byte. The id holds it because banks name a payout by its id
    /// alone.
    /// </summary>
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

/// <summary>
/// The balance transactions that one payout pays together. A batch is open until a payout takes it, and the API does not show it.
/// </summary>
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
