using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Payments.Domain.Secrets;

namespace Payments.Domain.Tests.Secrets;

public sealed class SecretBoxTests
{
    private static readonly byte[] First = RandomNumberGenerator.GetBytes(32);
    private static readonly byte[] Second = RandomNumberGenerator.GetBytes(32);

    [Fact]
    public void Open_WhatWasSealed_IsTheSecretAndNeverTheSameCiphertext()
    {
        var box = Box("a", ("a", First));
        var (one, two) = (box.Seal("secret"u8, "owner"), box.Seal("secret"u8, "owner"));

        Assert.Equal("secret"u8.ToArray(), box.Open(one, "owner"));
        Assert.Equal("secret"u8.ToArray(), box.Open(two, "owner"));
        Assert.NotEqual(one, two);
    }

    [Fact]
    public void Open_AnyBitChangedCutOffOrAnotherOwner_Throws()
    {
        var box = Box("a", ("a", First));
        var sealedSecret = box.Seal("secret"u8, "owner");

        Assert.ThrowsAny<CryptographicException>(() => box.Open(sealedSecret, "another"));
        for (var i = 0; i < sealedSecret.Length; i++)
        {
            var altered = sealedSecret.ToArray();
            altered[i] ^= 1;
            Assert.ThrowsAny<CryptographicException>(() => box.Open(altered, "owner"));
            Assert.ThrowsAny<CryptographicException>(() => box.Open(sealedSecret.AsSpan(0, i), "owner"));
        }
    }

    [Fact]
    public void Open_AfterTheActiveKeyChanged_StillReadsAndTellsWhatToSealAgain()
    {
        var old = Box("a", ("a", First)).Seal("secret"u8, "owner");
        var box = Box("b", ("a", First), ("b", Second));

        Assert.Equal("secret"u8.ToArray(), box.Open(old, "owner"));
        Assert.False(box.IsCurrent(old));
        Assert.True(box.IsCurrent(box.Seal("secret"u8, "owner")));
        Assert.ThrowsAny<CryptographicException>(() => Box("b", ("b", Second)).Open(old, "owner"));
    }

    [Theory]
    [InlineData("a", "too short")]
    [InlineData("a", null)]
    [InlineData("missing", "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=")]
    public void FromConfiguration_KeysThatCannotWork_NamesTheSetting(string active, string? key)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["Secrets:ActiveKey"] = active, ["Secrets:Keys:a"] = key }).Build();
        Assert.Contains("Secrets__", Assert.Throws<InvalidOperationException>(() => SecretBox.FromConfiguration(configuration)).Message, StringComparison.Ordinal);
    }

    private static SecretBox Box(string active, params (string Name, byte[] Key)[] keys) => new(keys.ToDictionary(key => key.Name, key => key.Key), active);
}
