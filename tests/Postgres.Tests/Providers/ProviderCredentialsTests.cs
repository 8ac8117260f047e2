using System.Security.Cryptography;
using System.Text;
using Dapper;
using Microsoft.Extensions.Configuration;
using Payments.Domain;
using Payments.Domain.Audit;
using Payments.Domain.Providers;
using Payments.Domain.Providers.Credentials;
using Payments.Domain.Providers.Stripe;
using Payments.Domain.Secrets;
using Payments.Postgres.Tests.Messaging;

namespace Payments.Postgres.Tests.Providers;

/// <summary>Merchants' credentials at providers: sealed in the database, and readable through every change of the key.</summary>
public sealed class ProviderCredentialsTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private const string Secret = "sk_live_51Hexample4242";
    private static readonly DateTimeOffset Start = new(2026, 3, 2, 9, 0, 0, TimeSpan.Zero);
    private static readonly Actor Operator = Actor.Platform("test");
    private readonly TestTime _time = new(Start);

    [Fact]
    public async Task Put_Credentials_AreSealedFoundAndAudited()
    {
        var merchant = await MerchantAsync();
        var credentials = Credentials(Box("old"));

        var set = await SetAsync(credentials, merchant);

        Assert.Equal(("merchant", "...4242"), (set.Source, set.Credentials["secret_key"]));
        Assert.Equal(Secret, (await credentials.FindAsync(merchant, "stripe", default))!["secret_key"]);
        await using var connection = await database.App.OpenConnectionAsync();
        var (stored, shown) = await connection.QuerySingleAsync<(byte[], string)>("SELECT sealed, shown::text FROM payments.provider_credentials WHERE merchant_id = @id", new { id = merchant.Value });
        Assert.DoesNotContain(Secret, Encoding.Latin1.GetString(stored) + shown, StringComparison.Ordinal);
        var audited = Assert.Single(await new AuditLog(database.App).ListAsync(new AuditFilter(merchant), null, 10, default));
        Assert.Equal(("platform/test", "provider_credentials.set", "stripe"), (audited.Entry.Actor.Name, audited.Entry.Action, audited.Entry.ObjectId));
        Assert.DoesNotContain(Secret, audited.Entry.Detail, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reseal_AfterANewActiveKey_KeepsWhatTheySay()
    {
        var merchant = await MerchantAsync();
        await SetAsync(Credentials(Box("old")), merchant);

        // Both keys, the new one active: it reads what the old one sealed, and seals it again, once.
        var both = Credentials(Box("new", "old"));
        Assert.Equal(Secret, (await both.FindAsync(merchant, "stripe", default))!["secret_key"]);
        Assert.True(await both.ResealAsync(default) >= 1);
        Assert.Equal(0, await both.ResealAsync(default));

        // Then the old key can go.
        Assert.Equal(Secret, (await Credentials(Box("new")).FindAsync(merchant, "stripe", default))!["secret_key"]);
        await Assert.ThrowsAsync<CryptographicException>(() => Credentials(Box("old")).FindAsync(merchant, "stripe", default).AsTask());
    }

    [Fact]
    public async Task Find_CredentialsCopiedToAnotherMerchant_DoNotOpenAndStopNoOthers()
    {
        var merchant = await MerchantAsync();
        var thief = await MerchantAsync();
        await SetAsync(Credentials(Box("old")), merchant);
        await SetAsync(Credentials(Box("old")), thief);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            "UPDATE payments.provider_credentials t SET sealed = s.sealed FROM payments.provider_credentials s WHERE t.merchant_id = @thief AND s.merchant_id = @merchant",
            new { thief = thief.Value, merchant = merchant.Value });

        await Assert.ThrowsAnyAsync<CryptographicException>(() => Credentials(Box("old")).FindAsync(thief, "stripe", default).AsTask());
        await Assert.ThrowsAsync<CryptographicException>(() => Credentials(Box("new", "old")).ResealAsync(default));
        Assert.Equal(Secret, (await Credentials(Box("new")).FindAsync(merchant, "stripe", default))!["secret_key"]);
        await connection.ExecuteAsync("DELETE FROM payments.provider_credentials WHERE merchant_id = @thief", new { thief = thief.Value });
    }

    [Fact]
    public async Task Find_WithoutCredentialsOfItsOwn_IsThePlatforms()
    {
        var merchant = await MerchantAsync();
        var credentials = Credentials(Box("old"), new ProviderSecrets(new Dictionary<string, string> { ["secret_key"] = "sk_live_of_the_platform" }));

        Assert.Equal("sk_live_of_the_platform", (await credentials.FindAsync(merchant, "stripe", default))!["secret_key"]);
        await SetAsync(credentials, merchant);
        Assert.Equal(Secret, (await credentials.FindAsync(merchant, "stripe", default))!["secret_key"]);
        Assert.True(await credentials.DeleteAsync(merchant, "stripe", Operator, default));
        Assert.False(await credentials.DeleteAsync(merchant, "stripe", Operator, default));
        Assert.Equal("sk_live_of_the_platform", (await credentials.FindAsync(merchant, "stripe", default))!["secret_key"]);
        Assert.Null(await Credentials(Box("old")).FindAsync(merchant, "stripe", default));
    }

    [Fact]
    public async Task Find_ForTheOtherMode_IsNothing()
    {
        var live = await MerchantAsync();
        var platform = new ProviderSecrets(new Dictionary<string, string> { ["secret_key"] = "sk_live_of_the_platform" });
        var (ofLive, ofTest, ofBoth) = (Credentials(Box("old"), platform, Mode.Live), Credentials(Box("old"), platform, Mode.Test),
            Credentials(Box("old"), platform));

        Assert.NotNull(await ofLive.FindAsync(live, "stripe", default));
        Assert.Null(await ofLive.FindAsync(live.In(Mode.Test), "stripe", default));
        Assert.Null(await ofTest.FindAsync(live, "stripe", default));
        Assert.NotNull(await ofTest.FindAsync(live.In(Mode.Test), "stripe", default));
        Assert.NotNull(await ofBoth.FindAsync(live, "stripe", default));
        Assert.NotNull(await ofBoth.FindAsync(live.In(Mode.Test), "stripe", default));
    }

    [Theory]
    [InlineData(Mode.Live, "sk_test_51Hexample4242", "credentials")]
    [InlineData(Mode.Test, "rk_live_51Hexample4242", "credentials")]
    [InlineData(Mode.Test, "sk_test_51Hexample4242", "provider")]
    public async Task Put_OfTheOtherMode_IsRefused(Mode account, string key, string param)
    {
        var credentials = Credentials(Box("old"), mode: param == "provider" ? Mode.Live : null);
        var request = new ProviderCredentialsRequest(new Dictionary<string, string?> { ["secret_key"] = key });

        var answer = await credentials.PutAsync((await MerchantAsync()).In(account), "stripe", request, Operator, default);

        Assert.Equal(param, answer.Match(_ => null, refusal => refusal.Param));
    }

    private static SecretBox Box(string active, params string[] others) =>
        new(others.Append(active).ToDictionary(name => name, name => SHA256.HashData(Encoding.UTF8.GetBytes(name))), active);

    private static async Task<ProviderCredentialsResource> SetAsync(ProviderCredentials credentials, MerchantId merchant)
    {
        var request = new ProviderCredentialsRequest(new Dictionary<string, string?> { ["secret_key"] = Secret });
        return (await credentials.PutAsync(merchant, "stripe", request, Operator, default)).Match(set => set, refusal => throw new InvalidOperationException(refusal.Detail));
    }

    private ProviderCredentials Credentials(SecretBox box, ProviderSecrets? platform = null, Mode? mode = null) => new(
        database.App, box, [new ConfiguredProvider("stripe", StripeType.Type, new Uri("https://api.stripe.com/"),
            new ConfigurationBuilder().Build().GetSection("Providers:Stripe"), mode, platform)], _time);

    private async Task<MerchantId> MerchantAsync()
    {
        var id = PrefixedId.New<MerchantId>(Start);
        await using var connection = await database.App.OpenConnectionAsync();
        await connection.ExecuteAsync(
            """
            INSERT INTO payments.merchants (bucket, id, name, country, status, fee_plan, payout_delay_days, metadata, created_at,
                updated_at)
            VALUES (payments.bucket_of(@id), @id, 'A shop', 'DE', 'active', '{"rules":[]}', 2, '{}', @now, @now)
            """,
            new { id = id.Value, now = Start });
        return id;
    }
}
