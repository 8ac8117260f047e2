namespace Payments.Domain.Audit;

/// <summary>Who does something, as the audit log keeps it.</summary>
/// <param name="Name"><c>platform/NAME</c> for a platform key, the key's id for a merchant's, <c>system/NAME</c> for what the app does by itself.</param>
/// <param name="RequestId">The request that asked for it; null where none did.</param>
public readonly record struct Actor(string Name, string? RequestId = null)
{
    public const string PlatformPrefix = "platform/";

    public static Actor Platform(string name, string? requestId = null) => new(PlatformPrefix + name, requestId);

    /// <summary>The app itself, such as a timer.</summary>
    public static Actor System(string name) => new("system/" + name);

    public override string ToString() => Name;
}
