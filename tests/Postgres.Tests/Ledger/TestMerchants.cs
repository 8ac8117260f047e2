using Payments.Domain;

namespace Payments.Postgres.Tests.Ledger;

internal static class TestMerchants
{
    private static int _bucket = -1;

    /// <summary>A merchant whose bucket the neighbouring tests do not use: the platform's accounts of a bucket start at zero.</summary>
    public static MerchantId Next() => InBucket(Interlocked.Increment(ref _bucket) % MerchantId.LiveBuckets);

    public static MerchantId InBucket(int bucket)
    {
        var id = PrefixedId.New<MerchantId>(TimeProvider.System.GetUtcNow()).Value.ToByteArray(bigEndian: true);
        id[15] = (byte)bucket;
        return new MerchantId(new Guid(id, bigEndian: true));
    }
}
