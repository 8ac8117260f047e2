using Payments.Domain.Merchants;

namespace Payments.Domain.Tests.Merchants;

public sealed class PlatformKeysTests
{
    private static readonly string Ada = Hash("pk_ada");
    private static readonly string AdasNext = Hash("pk_ada_2");
    private static readonly string Audit = Hash("pk_audit");

    [Fact]
    public void Find_NamedKeys_TellsWhoseItIs()
    {
        var keys = PlatformKeys.Parse($"ada:{Ada}, ada:{AdasNext.ToUpperInvariant()},auditors:{Audit}:read");

        Assert.Equal(("ada", true), Of(keys, "pk_ada"));
        Assert.Equal(("ada", true), Of(keys, "pk_ada_2"));
        Assert.Equal(("auditors", false), Of(keys, "pk_audit"));
        Assert.Null(keys.Find(ApiKeySecret.Hash("pk_other")));
    }

    [Fact]
    public void Find_HashWithoutAName_IsCalledByItsBeginning() =>
        Assert.Equal((Ada[..8], true), Of(PlatformKeys.Parse(Ada), "pk_ada"));

    [Fact]
    public void Parse_Nothing_KnowsNobody() => Assert.Null(PlatformKeys.Parse("").Find(ApiKeySecret.Hash("")));

    [Theory]
    [InlineData("ada:abc")]
    [InlineData("Ada Lovelace:HASH")]
    [InlineData("ada:HASH:write")]
    [InlineData("ada:HASH:read:more")]
    [InlineData(":HASH")]
    public void Parse_EntryThatIsNone_SaysWhich(string entry)
    {
        var error = Assert.Throws<InvalidOperationException>(() => PlatformKeys.Parse($"bob:{Audit},{entry.Replace("HASH", Ada, StringComparison.Ordinal).Replace(' ', '_')}"));

        Assert.Contains("Entry 2", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Ada, error.Message, StringComparison.Ordinal);
    }

    private static string Hash(string secret) => Convert.ToHexStringLower(ApiKeySecret.Hash(secret));

    private static (string?, bool)? Of(PlatformKeys keys, string secret) => keys.Find(ApiKeySecret.Hash(secret)) is { } caller ? (caller.Operator, caller.CanWrite) : null;
}
