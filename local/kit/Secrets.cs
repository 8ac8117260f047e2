using System.Security.Cryptography;
using System.Text;

namespace Payments.Kit;

/// <summary>Keys and passwords of one instance of the platform. They are random, and none is ever committed.</summary>
public sealed record Secrets(
    string PlatformKey,
    string AcquirerKey,
    string WebhookSecret,
    string EncryptionKey,
    string PostgresPassword,
    string OwnerPassword,
    string LoginPassword)
{
    /// <summary>The hash under which the app knows the platform's key.</summary>
    public string PlatformKeyHash => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(PlatformKey)));

    /// <summary>Every secret, for a check that no output holds one.</summary>
    public IReadOnlyList<string> All =>
        [PlatformKey, AcquirerKey, WebhookSecret, EncryptionKey, PostgresPassword, OwnerPassword, LoginPassword];

    public static Secrets Create() => new(
        "pk_" + Hex(), "ak_" + Hex(), "whsec_" + Base64(), Base64(), Hex(), Hex(), Hex());

    /// <summary>Reads the secrets kept in a file, or makes them and keeps them there, readable by the owner alone.</summary>
    public static Secrets LoadOrCreate(string file)
    {
        if (!File.Exists(file))
        {
            var fresh = Create();
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            PrivateFile.Write(file, string.Join('\n',
                $"platform_key={fresh.PlatformKey}", $"acquirer_key={fresh.AcquirerKey}", $"webhook_secret={fresh.WebhookSecret}",
                $"encryption_key={fresh.EncryptionKey}", $"postgres_password={fresh.PostgresPassword}", $"owner_password={fresh.OwnerPassword}",
                $"login_password={fresh.LoginPassword}", ""));
        }

        var values = File.ReadAllLines(file).Where(line => line.Contains('=', StringComparison.Ordinal))
            .ToDictionary(line => line[..line.IndexOf('=', StringComparison.Ordinal)], line => line[(line.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        string Value(string name) => values.TryGetValue(name, out var value)
            ? value
            : throw new KitException($"{file} has no {name}: delete the local data with './run reset'.");
        return new Secrets(
            Value("platform_key"), Value("acquirer_key"), Value("webhook_secret"), Value("encryption_key"),
            Value("postgres_password"), Value("owner_password"), Value("login_password"));
    }

    private static string Hex() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));

    private static string Base64() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
}
