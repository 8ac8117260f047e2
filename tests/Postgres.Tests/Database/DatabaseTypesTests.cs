using Dapper;
using Payments.Domain;
using Payments.Domain.Database;

namespace Payments.Postgres.Tests.Database;

public sealed class DatabaseTypesTests(TestDatabase database) : IClassFixture<TestDatabase>
{
    private enum Light
    {
        Red,
        AmberThenRed,
    }

    private sealed record Row(MerchantId Merchant, DateTimeOffset At, Currency Currency, Light Light, Light? Missing);

    [Fact]
    public async Task Dapper_TypesOfTheDomain_RoundTrip()
    {
        DatabaseTypes.AddEnum<Light>();
        var now = new DateTimeOffset(2026, 3, 29, 3, 0, 0, TimeSpan.FromHours(2));
        var merchant = PrefixedId.New<MerchantId>(now);
        await using var connection = await database.App.OpenConnectionAsync();

        var row = await connection.QuerySingleAsync<Row>(
            "SELECT @merchant AS merchant, @now::timestamptz AS at, @currency::text AS currency, @light::text AS light, NULL::text AS missing",
            new { merchant, now, currency = Currency.Jpy, light = Light.AmberThenRed });

        Assert.Equal(new Row(merchant, now.ToUniversalTime(), Currency.Jpy, Light.AmberThenRed, null), row);
        Assert.Equal("amber_then_red", await connection.ExecuteScalarAsync<string>("SELECT @light::text", new { light = Light.AmberThenRed }));
    }

    [Fact]
    public async Task Dapper_TextOfNoMember_Throws()
    {
        DatabaseTypes.AddEnum<Light>();
        await using var connection = await database.App.OpenConnectionAsync();

        var error = await Assert.ThrowsAnyAsync<Exception>(() => connection.QuerySingleAsync<Light>("SELECT '1'::text"));

        Assert.IsType<FormatException>(error.InnerException ?? error);
    }
}
