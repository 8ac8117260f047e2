using Payments.Domain.Idempotency;

namespace Payments.Domain.Tests.Idempotency;

public sealed class IdempotencyKeyTests
{
    [Theory]
    [InlineData("order-1", "order-1")]
    [InlineData("\"order-1\"", "order-1")]
    [InlineData("a", "a")]
    public void Read_AValidHeader_NamesTheKey(string header, string key)
    {
        Assert.True(IdempotencyKey.Read(header).TryGet(out var read, out _));
        Assert.Equal(key, read.Value);
    }

    [Theory]
    [InlineData(null, RefusalCode.IdempotencyKeyMissing)]
    [InlineData("", RefusalCode.IdempotencyKeyMissing)]
    [InlineData("with space", RefusalCode.IdempotencyKeyInvalid)]
    [InlineData("tab\t", RefusalCode.IdempotencyKeyInvalid)]
    [InlineData("ümlaut", RefusalCode.IdempotencyKeyInvalid)]
    public void Read_AnInvalidHeader_IsRefusedByName(string? header, RefusalCode code)
    {
        Assert.False(IdempotencyKey.Read(header).TryGet(out _, out var refusal));
        Assert.Equal(code, refusal.Code);
    }

    [Theory]
    [InlineData(255, true)]
    [InlineData(256, false)]
    public void Read_Length_IsLimited(int length, bool valid) => Assert.Equal(valid, IdempotencyKey.Read(new string('k', length)).TryGet(out _, out _));

    [Fact]
    public void Of_AnyPartChanged_IsAnotherFingerprint()
    {
        byte[][] fingerprints =
        [
            RequestFingerprint.Of("POST", "/v1/charges", "{}"u8), RequestFingerprint.Of("PUT", "/v1/charges", "{}"u8),
            RequestFingerprint.Of("POST", "/v1/refunds", "{}"u8), RequestFingerprint.Of("POST", "/v1/charges", "{ }"u8),
        ];

        Assert.Equal(fingerprints.Length, fingerprints.Select(Convert.ToHexString).Distinct().Count());
        Assert.Equal(fingerprints[0], RequestFingerprint.Of("POST", "/v1/charges", "{}"u8));
    }
}
